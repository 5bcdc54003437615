"""Running OpenAI's graders that do not ask a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from distilltest.errors import SuiteError
from distilltest.graders.multi import multi
from distilltest.graders.openai_format import (
    Grader,
    LabelModelGrader,
    MultiGrader,
    PythonGraderSpec,
    ScoreModelGrader,
    StringCheckGrader,
)
from distilltest.graders.python_grader import python_grader
from distilltest.graders.string_check import Operation, string_check
from distilltest.graders.template import NotInSample
from distilltest.graders.text_similarity import Metric, text_similarity
from distilltest.records import Grade

THRESHOLD = 0.5
"""The threshold of a grader without one; OpenAI publishes no default."""


def run_openai(grader: Grader, sample: Mapping[str, Any], item: Mapping[str, Any]) -> Grade:
    """Grade one sample with a grader read by :func:`distilltest.graders.openai_format.from_openai`.

    The grade has the name of the grader, or else its type. If a template names a field that the answer lacks, such as
    ``output_json``, the score is 0. The default ``pass_threshold`` is 0.5; for a multi grader it is always 0.5.

    Raises:
        SuiteError: The grader asks a model (``score_model``, ``label_model``, the metric ``cosine``), or is invalid.

    >>> from distilltest.graders.openai_format import from_openai
    >>> check = {"type": "string_check", "name": "city", "operation": "ilike"}
    >>> grader = from_openai({**check, "input": "{{ sample.output_text }}", "reference": "{{ item.city }}"})
    >>> run_openai(grader, {"output_text": "It is Rome."}, {"city": "rome"}).passed
    True
    """
    name = grader.name or grader.type
    if isinstance(grader, ScoreModelGrader | LabelModelGrader):
        raise SuiteError(f"{name}: a {grader.type} grader asks {grader.model}, which works only in an evaluation.")
    try:
        grade = _run(grader, sample, item)
    except NotInSample as error:
        return Grade(name, 0.0, False, str(error))
    return Grade(name, grade.score, grade.passed, grade.reason)


def _run(grader: Grader, sample: Mapping[str, Any], item: Mapping[str, Any]) -> Grade:
    if isinstance(grader, MultiGrader):
        grades = {key: run_openai(one, sample, item) for key, one in grader.by_name.items()}
        return multi(grades, grader.calculate_output, THRESHOLD)
    if isinstance(grader, StringCheckGrader):
        answer, reference = grader.input.render(item, sample), grader.reference.render(item, sample)
        return string_check(answer, reference, cast("Operation", grader.operation))
    assert not isinstance(grader, ScoreModelGrader | LabelModelGrader)
    threshold = THRESHOLD if grader.pass_threshold is None else grader.pass_threshold
    if isinstance(grader, PythonGraderSpec):
        return python_grader(grader.source, sample, item, pass_threshold=threshold)
    answer, reference = grader.input.render(item, sample), grader.reference.render(item, sample)
    return text_similarity(answer, reference, cast("Metric", grader.evaluation_metric), pass_threshold=threshold)
