"""Cases that a server can never answer, odd answers, and answers without usage: over HTTP, as the user sees them."""

import json

import pytest
from plugin.answering_server import chat_answer

from distilltest.exit_codes import INCOMPLETE

TOO_LONG = (
    400,
    {"error": {"message": "This model's maximum context length is 8192 tokens.", "code": "context_length_exceeded"}},
)
OVERLOADED = (500, {"error": {"message": "overloaded"}})


@pytest.fixture
def numbers(project):
    """200 cases, of which a role may be given some that it can never answer."""
    project.cases(200)
    project.server.knows = {"base": lambda n: n % 10 == 0, "teacher": lambda n: True, "candidate": lambda n: True}

    def never(role, cases, reply=TOO_LONG):
        def answer(model, number):
            if number in cases:
                return reply
            return 200, chat_answer(model, f"answer {number}" if project.server.knows[model](number) else "no idea")

        project.server.special[role] = answer

    project.never = never
    return project


def report(project):
    return json.loads((project.reports()[-1].parent / "report.json").read_text())


def test_a_candidate_that_is_good_enough_even_in_the_worst_case_is_promoted(numbers):
    numbers.never("candidate", {3, 77, 108})
    result = numbers.run()
    assert result.ret == 0
    said = "3 of 200 cases have no answer of the candidate; even if the candidate fails them all"
    result.stdout.fnmatch_lines([f"promote:*({said})"])
    found = report(numbers)["evaluations"][0]
    assert said in found["verdict"]["sentence"]
    assert found["verdict"]["worst_case"] is True
    assert found["verdict"]["missing"] == {"candidate": 3}
    assert found["verdict"]["unanswerable"] == ["q-3", "q-77", "q-108"]
    assert said in numbers.reports()[-1].read_text().translate({96: None, 92: None})
    before = numbers.server.calls.total()
    assert numbers.run("--offline").ret == INCOMPLETE  # what is not in the store may be on the server
    assert numbers.server.calls.total() == before


def test_a_verdict_that_depends_on_them_names_the_cases_and_the_servers_error(numbers):
    numbers.never("candidate", range(15))
    result = numbers.run()
    assert result.ret == INCOMPLETE
    out = result.stdout.str()
    for words in (
        "15 of 200 cases have no answer of the candidate and never will",
        "q-0, q-1, q-2, q-3, q-4, … (candidate: prompt too long)",
        "shorten the prompt, take these cases out of the dataset, or change the model",
        "maximum context length is 8192 tokens",
    ):
        assert words in out
    assert "run again" not in out.lower()
    assert "Traceback" not in out


def test_what_a_role_compared_with_cannot_answer_counts_as_right(numbers):
    numbers.never("base", range(75))
    assert numbers.run().ret == 0
    numbers.never("teacher", range(15))
    result = numbers.run("--fresh")
    assert result.ret == 0  # the candidate is right there, so the teacher cannot be better
    numbers.server.knows["candidate"] = lambda n: n >= 15
    assert numbers.run("--fresh").ret == INCOMPLETE


def test_a_candidate_that_is_bad_even_in_the_best_case_is_blocked(numbers):
    numbers.server.knows["candidate"] = lambda n: False
    numbers.never("candidate", {1, 2})
    result = numbers.run()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["block:*even if the candidate passes them all*"])


def test_what_may_still_come_is_asked_again_first(numbers):
    def answer(model, number):
        return {5: OVERLOADED, 7: TOO_LONG}.get(number) or (200, chat_answer(model, f"answer {number}"))

    numbers.server.special["candidate"] = answer
    result = numbers.run()
    assert result.ret == INCOMPLETE
    out = " ".join(result.stdout.str().split())
    assert "candidate lacks 2 of 200 cases (1 x prompt too long, 1 x server error). Run again" in out
    assert "1 of 200 cases has no answer of the candidate and never will: q-7 (candidate: prompt too long)" in out
    numbers.never("candidate", {7})
    assert numbers.run().ret == 0


def test_a_run_that_stops_early_counts_them_at_each_look(numbers):
    numbers.never("candidate", {3, 77, 108})
    result = numbers.run("--stop-early")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*even if the candidate fails *"])
    numbers.server.special.clear()
    numbers.never("candidate", range(0, 200, 2))
    assert numbers.run("--stop-early", "--fresh").ret == INCOMPLETE


def test_a_narrowed_run_never_promotes_whatever_is_missing(numbers):
    numbers.never("candidate", {3})
    result = numbers.run("--limit", "150")
    assert result.ret == INCOMPLETE
    result.stdout.fnmatch_lines(["*only a part was run*even if the candidate fails it*"])


def test_a_judge_that_filters_an_answer_counts_as_its_missing_grade(numbers):
    numbers.write(
        "distilltest.yaml",
        (numbers.root / "distilltest.yaml").read_text() + "judge: {server: local, model: judge}\n",
    )
    filtered = 400, {"error": {"message": "Filtered.", "code": "content_filter"}}

    def judge(body):
        if "answer 44" in body["messages"][-1]["content"]:
            return filtered
        verdict = "N" if "no idea" in body["messages"][-1]["content"] else "Y"
        return 200, chat_answer("judge", json.dumps({"reasons": "", "verdict": verdict}))

    numbers.cases(60)
    numbers.server.scripted["judge"] = judge
    numbers.suite(
        'criteria_match(completion.text, "It names the number.")',
        parameters="case, completion, criteria_match",
        gate='[better_than("base")]',
    )
    result = numbers.run()
    assert result.ret == 0, result.stdout.str()
    assert report(numbers)["evaluations"][0]["verdict"]["missing"] == {"candidate": 1}


def odd(finish="stop", usage=True, refusal=None):
    def answer(model, number):
        made = chat_answer(model, f"answer {number}")
        if number % 10 == 0:
            made["choices"][0]["finish_reason"] = finish
            made["choices"][0]["message"]["refusal"] = refusal
        if not usage:
            del made["usage"]
        return 200, made

    return answer


def test_answers_that_were_cut_off_or_refused_are_counted_and_noted(project):
    project.server.special["candidate"] = odd(finish="length")
    project.server.special["teacher"] = odd(refusal="I cannot help with that.")
    result = project.run()
    out, found = result.stdout.str(), report(project)["evaluations"][0]
    roles = {line["role"]: line for line in found["roles"]}
    assert (roles["candidate"]["cut_off"], roles["candidate"]["refused"]) == (12, 0)
    assert (roles["teacher"]["cut_off"], roles["teacher"]["refused"]) == (0, 12)
    for words in (
        "120, 12 cut off",
        "120, 12 refused",
        "candidate: 12 of 120 answers were cut off at the token limit",
        "Raise max_completion_tokens",
        "teacher: 12 of 120 answers are refusals",
    ):
        assert words in out
        assert words in project.reports()[-1].read_text().translate({96: None, 92: None})
    assert len(found["notes"]) == 3  # with that of the attempt


def test_a_few_of_them_are_counted_without_a_note(project):
    def answer(model, number):
        made = chat_answer(model, f"answer {number}")
        made["choices"][0]["finish_reason"] = "length" if number < 2 else "stop"
        return 200, made

    project.server.special["candidate"] = answer
    result = project.run()
    assert "120, 2 cut off" in result.stdout.str()
    assert not any("cut off" in note or "refus" in note for note in report(project)["evaluations"][0]["notes"])


def test_answers_without_usage_have_unknown_tokens_and_costs(project):
    project.write("prices.yaml", "".join(f"{role}: {{input: 1.0, output: 2.0}}\n" for role in ("teacher", "candidate")))
    project.write("distilltest.yaml", (project.root / "distilltest.yaml").read_text() + "prices: prices.yaml\n")
    project.suite(gate='[better_than("base"), costs_at_most(0.5)]')
    suite = (project.root / "suites/test_numbers.py").read_text()
    project.write("suites/test_numbers.py", suite.replace("import at_least,", "import at_least, costs_at_most,"))
    project.server.special["candidate"] = odd(usage=False)
    result = project.run()
    assert result.ret == INCOMPLETE
    out = result.stdout.str()
    assert "what candidate cost is unknown: the server sent no usage with 120 answers" in out
    assert "candidate: the server sent no usage with 120 of 120 answers" in out
    line = next(each for each in report(project)["evaluations"][0]["roles"] if each["role"] == "candidate")
    assert line["usd"] is None
    assert line["without_usage"] == 120
    row = next(text for text in out.splitlines() if text.startswith("candidate "))
    assert row.count("unknown") == 2  # tokens and cost
    assert "$0" not in row
