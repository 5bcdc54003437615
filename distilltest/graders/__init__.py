"""Graders: pure functions that turn an answer into a grade with a score and a reason.

Test functions use them as fixtures of the same names (``distilltest.pytest_plugin.fixtures``), which record the grade of each
call.
"""

from distilltest.graders.classification import classification
from distilltest.graders.endings import refusal, truncated
from distilltest.graders.exact_match import exact_match
from distilltest.graders.json_match import json_match
from distilltest.graders.json_schema import json_schema
from distilltest.graders.multi import multi
from distilltest.graders.number import number
from distilltest.graders.python_grader import python_grader
from distilltest.graders.string_check import string_check
from distilltest.graders.text_similarity import text_similarity
from distilltest.graders.tool_calls import tool_calls
from distilltest.graders.valid_json import valid_json
from distilltest.graders.valid_xml import valid_xml

__all__ = [
    "classification",
    "exact_match",
    "json_match",
    "json_schema",
    "multi",
    "number",
    "python_grader",
    "refusal",
    "string_check",
    "text_similarity",
    "tool_calls",
    "truncated",
    "valid_json",
    "valid_xml",
]
