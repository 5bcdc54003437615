"""Texts in reports are visible and harmless, for every text of every report in every format."""

import json
import re
import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from untrusted.hostile import benign, hostile, report_of, texts

from distilltest.distillation.learning_curve import markdown as curve_markdown
from distilltest.distillation.learning_curve import svg
from distilltest.distillation.learning_curve import text as curve_text
from distilltest.distillation.learning_curve.curve import LearningCurve
from distilltest.evaluations.estimate import PlanEstimate
from distilltest.reporting import gfm, markdown, plan, terminal
from distilltest.reporting import json as json_report
from distilltest.reporting.report import EvaluationReport, RunReport
from distilltest.untrusted.visible import visible

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
GITHUB = re.compile(
    r"@\w|#\d|\bGH-\d|\b[A-Za-z]+-\d|\b[0-9a-f]{7,}\b|:[\w+-]+:|\$|https?:|ftp:|mailto:|www\.|~~|\[|\]|[*_]|\w\.[A-Za-z]",
    re.IGNORECASE,
)
"""What GitHub makes a link, a picture or a formula of where it stands outside of code; and what Markdown would act on."""
renderings = pytest.mark.parametrize(
    ("declared", "render"),
    [
        (RunReport, markdown.render),
        (RunReport, terminal.summary),
        (EvaluationReport, terminal.failure),
        (EvaluationReport, lambda report: "\n".join(terminal.role_lines(report))),
        (PlanEstimate, lambda estimate: plan.render([estimate], 0.001)),
        (LearningCurve, curve_markdown.render),
        (LearningCurve, curve_text.summary),
        (LearningCurve, svg.render),
    ],
    ids=["markdown", "summary", "failure", "roles", "plan", "curve.md", "curve", "curve.svg"],
)
documents = pytest.mark.parametrize(
    ("declared", "render"), [(RunReport, markdown.render), (LearningCurve, curve_markdown.render)], ids=["run", "curve"]
)


def acts(sign):
    """An independent definition of characters that must not be shown."""
    joiner = sign in "\u200c\u200d"
    return sign != "\n" and not joiner and unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@renderings
@given(drawn=hostile)
@settings(max_examples=30)
def test_no_text_adds_a_control_character_or_a_line(declared, render, drawn):
    report = report_of(declared, drawn)
    shown = render(report)
    assert [sign for sign in shown if acts(sign)] == []
    assert len(shown.split("\n")) == len(render(benign(report)).split("\n"))
    assert shown.splitlines() == shown.removesuffix("\n").split("\n")


@documents
@given(drawn=hostile)
@settings(max_examples=40)
def test_the_texts_of_a_page_do_not_change_its_structure(declared, render, drawn):
    report = report_of(declared, drawn)
    page, plain = MARKDOWN.parse(render(report)), MARKDOWN.parse(render(benign(report)))
    assert [(token.type, token.tag) for token in page] == [(token.type, token.tag) for token in plain]
    assert [t.content for t in page if t.type == "html_block"] == [t.content for t in plain if t.type == "html_block"]
    ours = {child.type for token in plain for child in token.children or ()}
    for token in page:
        for child in token.children or ():
            assert child.type in {"text", "code_inline", "html_inline"} | ours - {"html_inline"}
            if child.type == "html_inline":
                assert child.content == "<br>"
            if child.type == "text":
                assert not GITHUB.search(child.content), child.content


@documents
@given(drawn=hostile)
@settings(max_examples=20)
def test_no_line_of_a_page_begins_with_a_command_to_a_robot(declared, render, drawn):
    for line in render(report_of(declared, drawn)).splitlines():
        assert not line.startswith(("/", "@", "![" if "curve.svg" not in line else "/"))


@given(text=texts)
@settings(max_examples=300)
def test_a_text_in_a_cell_is_one_cell_and_comes_back(text):
    cell = gfm.code(text, cell=True)
    tokens = MARKDOWN.parse(gfm.table(["head", "other"], [[cell, "x"]]))
    inline = [token for token in tokens if token.type == "inline"]
    assert len(inline) == 4
    said = "".join(
        "\n" if child.content == "<br>" and child.type == "html_inline" else child.content
        for child in inline[2].children
    )
    assert [line.strip() for line in said.split("\n")] == [line.strip() for line in visible(text).split("\n")]


@given(drawn=hostile)
@settings(max_examples=30)
def test_the_json_format_has_the_same_data_and_is_safe_to_display(drawn):
    report = report_of(RunReport, drawn)
    shown = json_report.render(report).decode()
    assert [sign for sign in shown if acts(sign)] == []
    assert json.loads(shown) == json.loads(json.dumps(report.to_json()))


@given(drawn=hostile)
@settings(max_examples=30)
def test_a_picture_is_valid_xml_with_any_texts(drawn):
    ElementTree.fromstring(svg.render(report_of(LearningCurve, drawn)))
