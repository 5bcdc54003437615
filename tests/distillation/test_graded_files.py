"""Training files from the answers of a real evaluation: by grade, by score, by a judge."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest
from completions.scripted_server import Reply, ScriptedServer

from distilltest.cli import main
from distilltest.distillation.graded import choose, whole
from distilltest.exit_codes import REFUSED
from distilltest.records import Completion
from distilltest.store import GradedCompletion, StoredCompletion
from distilltest.training_files.whole_file import LeftOut

CASES = 44
SUITE = """
from distilltest import at_least, evaluation


@evaluation(dataset="asked.jsonl", prompt="long.yaml", gate=[at_least(0.01)], trials=3, roles=["base", "teacher"])
def test_answers(case, completion, text_similarity):
    text_similarity(completion.text, case.reference, "fuzzy_match", pass_threshold=0.99)
"""
OTHER = """
from distilltest import at_least, evaluation


@evaluation(dataset="other.jsonl", prompt="long.yaml", gate=[at_least(0.01)], roles=["base", "teacher"])
def test_other(case, completion, exact_match):
    exact_match(completion.text, case.reference)
"""


def shown(messages):
    """The two answers that the judge compares."""
    text = next(message["content"] for message in messages if "<answer-" in message["content"])
    return [part.split("\n")[1] for part in text.split("<answer-")[1:]]


class Answers:
    """Script the server: the number of a request decides the teacher's three answers; the base is right on every tenth."""

    def __init__(self):
        self.seen = Counter()
        self.judge = lambda first, second: "1" if len(first) > len(second) else "2"
        self.asked_judge = 0

    def __call__(self, _number, body):
        text = body["messages"][-1]["content"]
        model = body["model"]
        if model == "judge":
            self.asked_judge += 1
            first, second = shown(body["messages"])
            return Reply(text=json.dumps({"reasons": "so it is", "verdict": self.judge(first, second)}))
        number = int(text.rsplit(" ", 1)[-1])
        self.seen[model, number] += 1
        right = f"answer number {number}"
        if model == "base":
            return Reply(text=right if number % 10 == 0 else "no idea")
        wrong = {0: [], 1: ["answer", "no"], 2: ["x", "xx", "xxx"], 3: ["answer number"]}[number % 4]
        return Reply(text=[*wrong, right, right, right][(self.seen[model, number] - 1) % 3])


@pytest.fixture(scope="module")
def script():
    return Answers()


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, script):
    """A project after its evaluation: 44 cases, three trials of teacher and base."""
    root = tmp_path_factory.mktemp("evaluated")
    rows = [{"id": f"q-{n:02}", "request": f"request {n}", "reference": f"answer number {n}"} for n in range(CASES)]
    (root / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "other.jsonl").write_text('{"id": "o", "request": "request 4", "reference": "answer number 4"}\n')
    (root / "long.yaml").write_text(
        'messages:\n  - {role: system, content: Answer at length.}\n  - {role: user, content: "Please: {{ item.request }}"}\n'
    )
    (root / "short.yaml").write_text('messages:\n  - {role: user, content: "{{ item.request }}"}\n')
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "suites").mkdir()
    (root / "suites/test_answers.py").write_text(SUITE)
    with ScriptedServer(script) as server:
        models = "".join(f"  {role}: {{server: s, model: {role}}}\n" for role in ("base", "teacher"))
        (root / "distilltest.yaml").write_text(
            f"servers:\n  s: {{base_url: '{server.base_url}', max_retries: 0}}\n"
            f"models:\n{models}  candidate: {{server: s, model: teacher}}\njudge: {{server: s, model: judge}}\n"
        )
        command = [sys.executable, "-m", "pytest", "-q", "suites"]
        done = subprocess.run(command, check=False, cwd=root, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        yield root


@pytest.fixture
def project(evaluated, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(evaluated, root)
    monkeypatch.chdir(root)
    return root


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def learned(path):
    """Request → answer, from a supervised file."""
    return {row["messages"][-2]["content"]: row["messages"][-1]["content"] for row in rows(path)}


def preferred(path):
    """Number of the request → (the better answer, the worse one)."""
    return {
        int(row["input"]["messages"][-1]["content"].rsplit(" ", 1)[-1]): (
            row["preferred_output"][0]["content"],
            row["non_preferred_output"][0]["content"],
        )
        for row in rows(path)
    }


def dataset(*arguments):
    return main(["dataset", *arguments, "--output", "f.jsonl"])


def test_only_answers_that_passed_are_learned_with_the_short_prompt(project, capsys):
    command = ["sft", "--evaluation", "test_answers", "--passed", "--prompt", "short.yaml"]
    assert dataset(*command) == 0
    right = [n for n in range(CASES) if n % 4 != 2]
    assert learned(project / "f.jsonl") == {f"request {n}": f"answer number {n}" for n in right}
    assert len(rows(project / "f.jsonl")[0]["messages"]) == 2
    said = capsys.readouterr().out
    assert f"{CASES} cases with answers of teacher" in said
    assert "f.jsonl: 33 examples" in said
    assert "left out: 11 (no answer passed)" in said
    assert "remark: the examples are cases of asked.jsonl. A model that is tuned on them must not be judged by" in said
    assert [path.name for path in project.iterdir() if "f.jsonl" in path.name] == ["f.jsonl"]


def test_the_best_of_several_trials_is_learned_whether_it_passed_or_not(project, capsys):
    assert dataset("sft", "--evaluation", "suites/test_answers.py::test_answers", "--best-of") == 0
    answers = learned(project / "f.jsonl")
    assert len(answers) == CASES
    assert all(answers[f"Please: request {n}"] == f"answer number {n}" for n in range(CASES) if n % 4 != 2)
    assert dataset("sft", "--evaluation", "test_answers", "--best-of", "--passed", "--role", "base") == REFUSED
    assert len(learned(project / "f.jsonl")) == 5
    assert "5 examples; platforms ask for at least 10" in capsys.readouterr().out


def graded(trial, score, passed, text="x", finish="stop"):
    completion = Completion(key=f"k{trial}", server="s", model="m", text=text, finish_reason=finish)
    return GradedCompletion(StoredCompletion({}, completion, {}), "r", "e", "c", "teacher", trial, passed, score, ())


def test_of_equal_scores_the_first_is_chosen_and_whole_answers_come_before_others():
    trials = (
        graded(0, None, None),
        graded(1, 0.9, True, finish="length"),
        graded(2, 0.5, False),
        graded(3, 0.7, True),
        graded(4, 0.7, True),
    )
    left_out = LeftOut()
    assert choose(trials, left_out, passed=False, best=True).trial == 3
    assert choose(trials, left_out, passed=True, best=False).trial == 3
    assert choose(trials[:2], left_out, passed=True, best=False).trial == 1
    assert choose(trials[:3], left_out, passed=False, best=False).trial == 2
    assert left_out.counts == {}
    assert choose(trials[:1], left_out, passed=False, best=True) is None
    assert choose(trials[2:3], left_out, passed=True, best=True) is None
    assert left_out.counts == {"not graded": 1, "no answer passed": 1}


def test_preferences_are_made_of_whole_answers():
    left_out = LeftOut()
    trials = (graded(0, 1.0, True, finish="length"), graded(1, 0.5, False), graded(2, 0.2, False, text=" "))
    assert [[each.trial for each in group] for group in whole([trials, trials[:1]], left_out)] == [[1]]
    assert left_out.counts == {"ended by length": 2, "empty": 1}


def test_two_roles_make_a_pair_where_one_passes_and_the_other_fails(project, capsys):
    assert dataset("dpo", "--evaluation", "test_answers", "--chosen", "teacher", "--rejected", "base") == 0
    right = [n for n in range(CASES) if n % 4 != 2 and n % 10]
    assert preferred(project / "f.jsonl") == {n: (f"answer number {n}", "no idea") for n in right}
    said = capsys.readouterr().out
    assert f"f.jsonl: {len(right)} examples" in said
    assert "left out: 3 (a tie: both passed)" in said
    assert "left out: 9 (a tie: both failed)" in said
    assert "left out: 2 (inconsistent: the rejected role passed, the chosen one failed)" in said


def test_of_several_trials_the_best_and_the_worst_by_score_make_a_pair(project, capsys):
    command = ["dpo", "--evaluation", "test_answers", "--role", "teacher", "--prompt", "short.yaml"]
    assert dataset(*command, "--min-gap", "0.5") == 0
    pairs = preferred(project / "f.jsonl")
    assert pairs == {n: (f"answer number {n}", "no") for n in range(CASES) if n % 4 == 1}
    assert rows(project / "f.jsonl")[0]["input"]["messages"] == [{"role": "user", "content": "request 1"}]
    said = capsys.readouterr().out
    assert "left out: 11 (a tie: scores differ by less than 0.5)" in said
    assert "left out: 22 (a tie)" in said
    assert dataset(*command) == 0
    assert {n: pair for n, pair in preferred(project / "f.jsonl").items() if n % 4 == 3} == {
        n: (f"answer number {n}", "answer number") for n in range(CASES) if n % 4 == 3
    }


def test_a_judge_ranks_several_trials_in_both_orders_and_is_asked_once(project, script, capsys):
    command = ["dpo", "--evaluation", "test_answers", "--role", "teacher", "--judge"]
    asked = script.asked_judge
    assert dataset(*command) == 0
    pairs = preferred(project / "f.jsonl")
    assert {n: pairs[n] for n in (1, 2, 3)} == {
        1: ("answer number 1", "no"),
        2: ("xxx", "x"),
        3: ("answer number 3", "answer number"),
    }
    assert len(pairs) == 33
    said = capsys.readouterr().out
    assert "judge 'judge' (judge): 77 pairs of answers to 44 requests, each in both orders: 154 questions" in said
    assert "both orders agreed on 77" in said
    assert "left out: 11 (only one answer)" in said
    calls = script.asked_judge - asked
    assert f"{calls} new answers of the judge" in said
    assert dataset(*command) == 0
    assert script.asked_judge - asked == calls
    assert "0 new answers of the judge" in capsys.readouterr().out


def test_a_dry_run_says_questions_and_money_and_sends_nothing(project, script, capsys):
    command = ["dpo", "--evaluation", "test_answers", "--role", "teacher", "--judge"]
    asked = script.asked_judge
    assert dataset(*command, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "77 pairs of answers to 44 requests, each in both orders: 154 questions" in said
    assert "the judge has no price" in said
    assert "--pairs tournament" in said
    assert script.asked_judge == asked
    assert not (project / "f.jsonl").exists()
    with (project / "distilltest.yaml").open("a") as config:
        config.write("prices: prices.yaml\n")
    (project / "prices.yaml").write_text("judge: {input: 1000, output: 1000}\n")
    assert dataset(*command, "--dry-run") == 0
    assert "at least $" in capsys.readouterr().out
    assert dataset(*command) == 0
    capsys.readouterr()
    assert dataset(*command, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "154 of them are answered in the store, 0 to send" in said
    assert "about $0" in said


@pytest.mark.parametrize("way", ["best-worst", "tournament"])
def test_fewer_pairs_are_judged_where_that_is_asked_for(project, script, capsys, way):
    command = ["dpo", "--evaluation", "test_answers", "--role", "teacher", "--judge", "--pairs", way]
    assert dataset(*command) == 0
    better, worse = preferred(project / "f.jsonl")[2]
    assert better == "xxx"
    assert worse == "x" or way == "tournament"  # which prefers the best one to the first that it met
    assert "at most" in capsys.readouterr().out


def test_a_judge_that_goes_by_the_order_leaves_nothing_to_learn(project, script, monkeypatch, capsys):
    monkeypatch.setattr(script, "judge", lambda _first, _second: "1")
    assert dataset("dpo", "--evaluation", "test_answers", "--role", "teacher", "--judge", "judge") == 3
    said = capsys.readouterr()
    assert "both orders agreed on 0" in said.out
    assert "33 a tie: the judge's two orders disagree" in said.err
    assert not (project / "f.jsonl").exists()


def test_a_judge_without_a_verdict_is_named_and_the_rest_is_written(project, script, monkeypatch, capsys):
    def judge(first, second):
        return "maybe" if "xx" in first + second else "1" if len(first) > len(second) else "2"

    monkeypatch.setattr(script, "judge", judge)
    assert dataset("dpo", "--evaluation", "test_answers", "--role", "teacher", "--judge") == 11
    said = capsys.readouterr()
    assert "left out: 11 (no verdict: judge's answer unusable)" in said.out
    assert (
        "no verdict on 33 pairs: judge's answer unusable: judge 'judge' (judge) gave preference no usable" in said.err
    )
    assert len(preferred(project / "f.jsonl")) == 22


def test_collected_samples_are_ranked_by_a_judge_without_an_evaluation(project, script, capsys):
    (project / "new.txt").write_text("".join(f"ask {n}\n" for n in range(101, 145)))
    ways = ["--samples", "3", "--temperature", "0.9", "--system", "Be brief.", "--system", "Be kind."]
    assert main(["collect", "--dataset", "new.txt", "--metadata", "task=new", *ways]) == 0
    assert dataset("dpo", "--judge", "--metadata", "task=new", "--prompt", "short.yaml") == 0
    pairs = preferred(project / "f.jsonl")
    assert {n: pairs[n] for n in range(101, 145) if n % 4 == 1} == {
        n: (f"answer number {n}", "no") for n in range(101, 145) if n % 4 == 1
    }
    assert "teacher: answers to 44 requests" in capsys.readouterr().out


def test_a_pair_has_the_system_prompt_that_its_better_answer_was_given_to():
    import asyncio
    from pathlib import Path

    from distilltest.config import Judge
    from distilltest.distillation.ranking import Ranking, Samples
    from distilltest.judges.preference import Compared
    from distilltest.records import Model

    class Longest(Ranking):
        async def _compare(self, samples, one, other):
            winner = "1" if len(one) > len(other) else "2"
            return Compared(winner, winner, "")

    prompts = tuple(
        ({"role": "system", "content": how}, {"role": "user", "content": "x"})
        for how in ("Be brief.", "Tell all.", "Sing.")
    )
    ranking = Longest(Judge("j", Model("judge", "s", "http://x", "m")), None, Path(), lambda done: None)
    samples = Samples(prompts[0], ("no", "a long answer", "la la"), prompts)
    [found] = asyncio.run(ranking.preferences([samples], LeftOut()))
    assert (found.preferred, found.messages) == ("a long answer", prompts[1])


def test_requests_of_another_evaluation_are_a_leak(project, capsys):
    (project / "suites/test_other.py").write_text(OTHER)
    command = [sys.executable, "-m", "pytest", "-q", "suites/test_other.py"]
    assert subprocess.run(command, capture_output=True, timeout=120, check=False).returncode in (0, 1, 10)
    assert dataset("sft", "--evaluation", "test_answers", "--passed") == REFUSED
    said = capsys.readouterr().out
    assert "overlap: 1 of the 1 cases of other.jsonl overlap with the file: 1 word for word." in said
    assert "f.jsonl: not fit for training: 1 cases of other.jsonl are in it" in said
    assert dataset("sft") == REFUSED
    said = capsys.readouterr().out
    assert f"not fit for training: {CASES} cases of asked.jsonl are in it" in said
    (project / "other.jsonl").unlink()
    assert dataset("dpo", "--evaluation", "test_answers", "--chosen", "teacher", "--rejected", "base") == 0
    said = capsys.readouterr().out
    assert (
        "overlap: other.jsonl of suites/test_other.py::test_other was not compared with f.jsonl: other.jsonl: there is"
        in said
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sft", "--evaluation", "test_answers"], "which of its answers? Add --passed, --best-of or both"),
        (["sft", "--passed"], "--passed goes by the grades of an evaluation: name it with --evaluation"),
        (["sft", "--evaluation", "test_answers", "--passed", "--model", "m"], "Name one with --role"),
        (["sft", "--evaluation", "test_none", "--passed"], "no evaluation has the node id or ends with 'test_none'"),
        (
            ["sft", "--evaluation", "test_answers", "--passed", "--role", "promoted"],
            "has no graded answer of 'promoted' in its latest run. There are answers of base, candidate, teacher.",
        ),
        (["sft", "--evaluation", "test_answers", "--passed", "--metadata", "task=x"], "with the labels {'task': 'x'}"),
        (["sft", "--role", "other"], "No model plays the role 'other'"),
        (["dpo"], "Where shall preferences come from? --from FILE, --evaluation NAME"),
        (["dpo", "--evaluation", "test_answers"], "whose answers are compared?"),
        (["dpo", "--evaluation", "test_answers", "--chosen", "teacher"], "whose answers are compared?"),
        (
            ["dpo", "--evaluation", "test_answers", "--role", "base", "--chosen", "teacher"],
            "--chosen compares two roles",
        ),
        (["dpo", "--evaluation", "test_answers", "--role", "base", "--system", "x"], "--system goes with --from"),
        (["dpo", "--evaluation", "test_answers", "--role", "base", "--model", "x"], "--model goes with --judge alone"),
        (["dpo", "--evaluation", "test_answers", "--from", "pairs.csv"], "--from brings its own preferences"),
        (["dpo", "--from", "pairs.csv", "--role", "base"], "--role goes with --evaluation"),
        (["dpo", "--judge", "--min-gap", "0.2"], "--min-gap is of scores"),
        (["dpo", "--evaluation", "test_answers", "--role", "teacher", "--judge", "x"], "No judge 'x' is configured"),
        (["dpo", "--judge", "--metadata", "task=none"], "no clear preference is left to learn from"),
    ],
)
def test_half_questions_are_named_with_their_remedy(project, capsys, arguments, words):
    assert dataset(*arguments) == 3
    said = capsys.readouterr()
    assert words in said.err
    assert "Traceback" not in said.err
    assert not (project / "f.jsonl").exists()


def test_a_table_makes_no_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("\n".join(["instruction,chosen,rejected", *(f"r{n},a,b" for n in range(12))]))
    assert dataset("dpo", "--from", "t.csv") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.jsonl", "t.csv"]


def test_rankings_without_a_clear_best_are_told_apart():
    import asyncio

    from distilltest.config import Judge
    from distilltest.distillation.ranking import Ranking, Samples
    from distilltest.records import Model
    from distilltest.training_files.preference_file import PreferencePair

    asked = ({"role": "user", "content": "?"},)

    def rank(verdict, *texts):
        async def complete(request):
            text = json.dumps({"reasons": "", "verdict": verdict(*shown(request.messages))})
            return Completion(key=request.key, server="s", model="m", text=text, finish_reason="stop")

        judge = Judge("judge", Model("judge", "s", "http://x", "m"))
        ranking = Ranking(judge, complete, SimpleNamespace(), lambda _done: None)
        left_out = LeftOut()
        found = asyncio.run(ranking.preferences([Samples(asked, texts, (asked,) * len(texts))], left_out))
        return found[0] if found else next(iter(left_out.counts))

    def beats(*pairs):
        return lambda first, second: "1" if first + second in pairs else "2" if second + first in pairs else "tie"

    assert rank(beats("ab"), "a", "b") == PreferencePair(asked, "a", "b")
    assert rank(beats("ba", "bc", "ac"), "a", "b", "c") == PreferencePair(asked, "b", "c")
    assert rank(beats("ab"), "a", "b", "c") == PreferencePair(asked, "a", "b")
    assert rank(beats("ab", "bc", "ca"), "a", "b", "c").startswith("inconsistent")
    assert rank(beats(), "a", "b") == "a tie"
    assert rank(lambda _first, _second: "2", "a", "b") == "a tie: the judge's two orders disagree"
    assert rank(beats("ab"), "a", "a", " ") == "only one answer"
