"""Common defects in suites, each run as a user runs it.

docs/explanation/grader-health.md has a row for each.

The column "before" of that page was made by this module on the code as it was at commit 871d456, before there was a check
(``PLANTED=before`` writes what it says to ``planted.jsonl`` beside this file). ``PLANTED=now`` updates the other column.
"""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pages import page_named
from plugin.answering_server import chat_answer

PAGE = page_named("grader-health.md")
NOT_WORSE = 'not_worse_than("teacher", margin=0.05)'


@dataclass
class Defect:
    """A suite with something wrong in it."""

    words: str
    """What is wrong, as the page says it."""
    body: str
    parameters: str = "case, completion, exact_match"
    gate: str = f"[{NOT_WORSE}]"
    row: dict = field(default_factory=dict)
    """What the cases have besides."""
    cases: int = 120
    says: dict = field(default_factory=dict)
    """Role → what it answers to a number; the teacher "answer N", the others "no idea"."""
    head: str = ""
    judge: bool = False
    references: object = None
    """Number → reference."""
    harmless: bool = False
    """Whether it is the answer's fault, so that a good candidate is promoted all the same."""


BROKEN_TEMPLATE = {
    "type": "string_check",
    "name": "field",
    "operation": "eq",
    "input": "{{ sample.output_json.x }}",
    "reference": "{{ item.reference }}",
}
MISSING = "import no_such_package\\n\\ndef grade(sample, item):\\n    return 1.0"
MISSING_INSIDE = "def grade(sample, item):\\n    import no_such_package\\n    return 1.0"
WRONG_KEY = "def grade(sample, item):\\n    return float(sample['output_txt'] == item['reference'])"
RIGHT = "exact_match(completion.text, case.reference)"
READS = "assert json.loads(completion.text)['n'] == case.item['n']"


def numbered(n):
    return json.dumps({"n": n})


DEFECTS = [
    Defect(
        '`"reference": 42`, a number, where answers are texts; the candidate is always wrong',
        RIGHT,
        references=lambda n: n,
        says={"teacher": str},
    ),
    Defect("`exact_match(completion, …)`, with `.text` forgotten", "exact_match(completion, case.reference)"),
    Defect("a reference that is an object", RIGHT, references=lambda n: {"answer": n}),
    Defect(
        'the wrong field of the dataset: `case.item.get("anwser", "")`',
        'exact_match(completion.text, case.item.get("anwser", ""))',
    ),
    Defect(
        "a python grader whose package is missing", f'python_grader("{MISSING_INSIDE}")', "completion, python_grader"
    ),
    Defect("the same, imported at its top", f'python_grader("{MISSING}")', "completion, python_grader"),
    Defect(
        "a `KeyError` in a python grader, on every answer", f'python_grader("{WRONG_KEY}")', "completion, python_grader"
    ),
    Defect(
        "`{{ sample.output_json.x }}` where no answer is JSON",
        f"openai_grader({BROKEN_TEMPLATE!r})",
        "completion, openai_grader",
    ),
    Defect(
        "`json.loads(completion.text)`, and one answer of the candidate is not JSON",
        READS,
        "case, completion",
        head="import json",
        says={"teacher": numbered, "candidate": lambda n: "no idea" if n == 7 else numbered(n)},
        harmless=True,
    ),
    Defect("`json.loads(completion.text)` where no answer is JSON", READS, "case, completion", head="import json"),
    Defect(
        "`completion.json()` where no answer is JSON",
        "assert completion.json()['n'] == case.item['n']",
        "case, completion",
    ),
    Defect("an attribute that is misspelled: `completion.txt`", "exact_match(completion.txt, case.reference)"),
    Defect(
        "a gate of one guard, `no_slice_regresses()`: two cases, both lost",
        RIGHT,
        gate="[no_slice_regresses()]",
        cases=2,
    ),
    Defect(
        "a gate of one guard, `always()`: two cases, both right",
        RIGHT,
        gate="[always()]",
        cases=2,
        says={"candidate": lambda n: f"answer {n}"},
    ),
    Defect(
        'a gate that speaks of the teacher alone: `at_least(0.8, role="teacher")`',
        RIGHT,
        gate='[at_least(0.8, role="teacher")]',
    ),
    Defect(
        "a teacher that passes 2 %, margin 5 points; the candidate is always wrong",
        RIGHT,
        cases=400,
        says={"teacher": lambda n: f"answer {n}" if n % 50 == 0 else f"no idea {n}"},
    ),
    Defect(
        'the candidate always says "no", right in 97 % of the cases; the teacher is right in 99 %',
        RIGHT,
        cases=400,
        references=lambda n: "yes" if n % 40 == 0 else "no",
        says={
            "teacher": lambda n: "yes" if n % 40 == 0 and n % 200 else "no",
            "candidate": lambda n: "no",
        },
    ),
    Defect(
        "the same, compared by `string_check`",
        "string_check(completion.text, case.reference)",
        "case, completion, string_check",
        cases=400,
        references=lambda n: "yes" if n % 40 == 0 else "no",
        says={
            "teacher": lambda n: "yes" if n % 40 == 0 and n % 200 else "no",
            "candidate": lambda n: "no",
        },
    ),
    Defect(
        "the same, compared by an `assert`",
        "assert completion.text == case.reference",
        "case, completion",
        cases=400,
        references=lambda n: "yes" if n % 40 == 0 else "no",
        says={
            "teacher": lambda n: "yes" if n % 40 == 0 and n % 200 else "no",
            "candidate": lambda n: "no",
        },
    ),
    Defect(
        'a grader of your own whose `passed` is a text, always "False"',
        "own()",
        "completion, own",
        head="from distilltest import Grade, grader\n\n\n@grader\ndef own(case, completion):\n"
        "    right = completion.text == case.reference\n    return Grade('own', float(right), 'False')\n",
        says={"candidate": lambda n: f"no idea {n}"},
    ),
    Defect(
        'a `string_check` for an empty text: `"contains"`, and a field that is empty',
        'string_check(completion.text, case.item.get("anwser", ""), "contains")',
        "case, completion, string_check",
        says={"candidate": lambda n: f"no idea {n}"},
    ),
    Defect(
        "an answer that is compared with itself",
        "exact_match(completion.text, completion.text)",
        says={"candidate": lambda n: f"no idea {n}"},
    ),
    Defect(
        "an assert that always holds",
        'assert completion.text == case.reference or "no idea"',
        "case, completion",
        says={"candidate": lambda n: f"no idea {n}"},
    ),
    Defect(
        "one request, copied to 120 cases; the candidate is right",
        RIGHT,
        row={"question": "number 7"},
        references=lambda n: "answer 7",
        says={"candidate": lambda n: f"answer {n}"},
    ),
    Defect(
        "one constant text of the candidate, which a judge prefers to the teacher's answers",
        'preference("teacher")',
        "completion, preference",
        gate='[preferred_to("teacher")]',
        says={"candidate": lambda n: "Happy to help!"},
        judge=True,
    ),
    Defect(
        "empty answers of the candidate, which a judge calls polite",
        'criteria_match(completion.text, "It is polite.")',
        "completion, criteria_match",
        says={"candidate": lambda n: ""},
        judge=True,
    ),
]


def judge(body):
    """Says yes to everything, and prefers the constant text wherever it stands."""
    text = body["messages"][-1]["content"]
    labels = body["response_format"]["json_schema"]["schema"]["properties"]["verdict"].get("enum", [])
    if "tie" not in labels:
        verdict = "Y"
    else:
        first, second = (text.find(words) for words in ("Happy to help!", "<answer-2"))
        verdict = "1" if first < second else "2"
    return 200, chat_answer("judge", json.dumps({"reasons": "it does", "verdict": verdict}))


def run(project, defect):
    """The exit code, and what the last line says."""
    rows = [
        {"id": f"q-{n}", "question": f"number {n}", "n": n, "tags": ["even" if n % 2 == 0 else "odd"]}
        | {"reference": defect.references(n) if defect.references else f"answer {n}"}
        | defect.row
        for n in range(defect.cases)
    ]
    project.write("cases.jsonl", "\n".join(map(json.dumps, rows)))
    says = {"teacher": lambda n: f"answer {n}"} | defect.says
    for role in ("base", "teacher", "candidate"):
        text = says.get(role, lambda n: "no idea")
        project.server.special[role] = lambda model, n, text=text: (200, chat_answer(model, text(n)))
    project.server.scripted["judge"] = judge
    if defect.judge:
        with (project.root / "distilltest.yaml").open("a") as config:
            config.write("judge: {server: local, model: judge}\n")
    project.suite(defect.body, parameters=defect.parameters, gate=defect.gate, roles='["base"]')
    suite = project.root / "suites/test_numbers.py"
    more = "from distilltest import always, no_slice_regresses, preferred_to\n"
    suite.write_text(f"{defect.head}\n{more}{suite.read_text()}")
    return project.run()


def said(result):
    """The verdict's sentence, or the error's first line, as one line without what differs from run to run."""
    lines = [line for line in result.outlines if re.match(r"(promote|block|undecided|incomplete): ", line)]
    errors = [
        line
        for line in result.outlines
        if re.match(r"E  |.*Error|test_numbers: |.*(compares texts|python_grader: |string_check: |own: )", line)
    ]
    line = (lines[-1:] or [each for each in errors if "INTERNALERROR" not in each][:1] or ["no verdict"])[0]
    line = re.sub(r"\b[\w/.-]*suites/", "suites/", line.removeprefix("E").strip())
    if line.startswith(("promote", "block")):  # the bounds are others' business
        line = re.sub(r": .* (\([^()]*\))$", r" \1", line)
    # How many answers came before it was clear depends on the order of arrival.
    line = re.sub(r"the first \d+ answers \([^)]*\)", "the first answers", line)
    return re.sub(r", \d+ times\. No role gets through.*", ". No role gets through: an error in the suite …", line)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: re.sub(r"\W+", "-", defect.words)[:50])
def test_a_planted_defect_has_the_verdict_that_the_page_gives(project, defect):
    result = run(project, defect)
    now = f"exit {int(result.ret)}: {said(result)}".replace("|", "\\|")
    mode = os.environ.get("PLANTED")
    if mode == "before":
        with Path(__file__).with_name("planted.jsonl").open("a") as page:
            page.write(json.dumps([defect.words, now]) + "\n")
        return
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^\| {re.escape(defect.words)} \| ([^\n]*?) \| (exit [^\n]*) \|$", page, re.MULTILINE)
    assert found, f"docs/explanation/grader-health.md has no row for: {defect.words}"
    if mode == "now":
        PAGE.write_text(page[: found.start(2)] + now + page[found.end(2) :], encoding="utf-8")
        return
    assert found[2] == now
    assert (result.ret == 0) is defect.harmless


def test_the_page_has_no_other_rows():
    page = PAGE.read_text(encoding="utf-8")
    assert len(re.findall(r"^\| .* \| exit \d+: .* \| exit \d+: .* \|$", page, re.MULTILINE)) == len(DEFECTS)
