"""``distilltest dataset`` from the command line."""

import json

import pytest
from training_files.files import example, pair, sixty, write

from distilltest.cli import main
from distilltest.exit_codes import REFUSED
from distilltest.records import Completion, Request
from distilltest.store import Store
from distilltest.training_files.text_search.folding import folded

LONG = {
    "role": "system",
    "content": "Answer with one git command and nothing else, in short form, without a code fence.",
}
SHORT = 'messages:\n  - {role: system, content: Git.}\n  - {role: user, content: "{{ item.request }}"}\n'


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.yaml").write_text(SHORT)
    return tmp_path


def keep(root, answers, *, model="embedded-teacher", labels=None, created=1.0):
    """Store completions: request → answer, or other fields of the completion."""
    stored = []
    for number, (text, said) in enumerate(answers):
        more = said if isinstance(said, dict) else {"text": said, "finish_reason": "stop"}
        messages = (LONG, {"role": "user", "content": text})
        request = Request("embedded", "embedded:", model, messages, trial=number, metadata=labels or {"task": "git"})
        done = Completion(key=request.key, server="embedded", model=model, created=created + number, **more)
        stored.append((request, done, b"{}"))
    with Store.open(root / ".distilltest" / "store.sqlite3") as store:
        store.save_all(stored)


def requests(path):
    return [json.loads(line)["messages"][-2]["content"] for line in path.read_text().splitlines()]


def test_sft_writes_what_the_teacher_answered(project, capsys):
    keep(project, [(f"request {n}", f"git {n}") for n in range(12)])
    keep(project, [("other", "git other")], labels={"task": "other"})
    keep(project, [("base", "git base")], model="embedded-student")
    keep(project, [("refused", {"text": "", "finish_reason": "stop", "refusal": "no"})], created=50)
    keep(project, [("cut", {"text": "git", "finish_reason": "length"})], created=51)
    assert main(["dataset", "sft", "--metadata", "task=git", "--output", "train.jsonl"]) == 0
    assert requests(project / "train.jsonl") == [f"request {n}" for n in range(12)]
    first = json.loads((project / "train.jsonl").read_text().splitlines()[0])
    assert first["messages"][0] == LONG
    said = capsys.readouterr().out
    assert "train.jsonl: 12 examples" in said
    assert "left out: 1 (refused)" in said
    assert "left out: 1 (ended by length)" in said


def test_sft_replaces_the_prompt_and_keeps_the_newest_answer(project, capsys):
    keep(project, [(f"request {n}", "git old") for n in range(12)])
    keep(project, [("x", "git x")] * 13 + [("request 3", "git new")], created=100)
    assert main(["dataset", "sft", "--prompt", "short.yaml", "--output", "train.jsonl"]) == 0
    rows = [json.loads(line)["messages"] for line in (project / "train.jsonl").read_text().splitlines()]
    assert [row[0] for row in rows] == [{"role": "system", "content": "Git."}] * 13
    assert [row[2]["content"] for row in rows if row[1]["content"] == "request 3"] == ["git new"]
    assert "left out: 13 older answers" in capsys.readouterr().out


def test_sft_finds_the_case_for_a_prompt_with_other_fields(project, capsys):
    keep(project, [(f"request {n}", f"git {n}") for n in range(12)])
    (project / "titles.yaml").write_text('messages:\n  - {role: user, content: "{{ item.title }}"}\n')
    command = ["dataset", "sft", "--prompt", "titles.yaml", "--output", "train.jsonl"]
    assert main(command) == 3
    assert "name the dataset with --cases" in capsys.readouterr().err
    rows = [{"id": n, "request": f"request {n}", "title": f"title {n}"} for n in range(12)]
    (project / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (project / "long.yaml").write_text(
        f'messages:\n  - {{role: system, content: "{LONG["content"]}"}}\n  - {{role: user, content: "{{{{ item.request }}}}"}}\n'
    )
    assert main([*command, "--cases", "cases.jsonl"]) == 3
    assert main([*command, "--cases", "cases.jsonl", "--asked-with", "long.yaml"]) == 0
    assert requests(project / "train.jsonl") == [f"title {n}" for n in range(12)]


def test_sft_holds_out_requests_that_are_not_in_the_training_file(project):
    keep(project, [(f"request {n % 50}{'!' * (n // 50)}", f"git {n}") for n in range(150)])
    assert main(["dataset", "sft", "--validation", "0.2", "--output", "train.jsonl"]) == 0
    train, held = ({folded(r) for r in requests(project / n)} for n in ("train.jsonl", "train.validation.jsonl"))
    assert not train & held
    assert len(train | held) == 50
    assert 3 <= len(held) <= 20


def test_sft_keeps_clusters_together(project):
    keep(project, [(f"request {n}", f"git {n}") for n in range(60)])
    rows = [{"id": n, "request": f"request {n}", "cluster": f"c{n % 6}"} for n in range(60)]
    (project / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (project / "prompt.yaml").write_text(
        f'messages:\n  - {{role: system, content: "{LONG["content"]}"}}\n  - {{role: user, content: "{{{{ item.request }}}}"}}\n'
    )
    (project / "distilltest.yaml").write_text(
        "models: {teacher: {server: embedded, model: embedded-teacher}}\n"
        "distillation: {train: cases.jsonl, prompt: prompt.yaml}\n"
    )
    assert main(["dataset", "sft", "--validation", "0.5", "--output", "train.jsonl"]) == 0
    clusters = [
        {int(r.split()[1]) % 6 for r in requests(project / n)} for n in ("train.jsonl", "train.validation.jsonl")
    ]
    assert not clusters[0] & clusters[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "other"], "The store has no completion of 'other'"),
        (["--prompt", "none.yaml"], "there is no such prompt file"),
        (["--validation", "0.0001"], "too few, or too much of one cluster, to hold out"),
    ],
)
def test_sft_says_what_is_wrong(project, capsys, arguments, words):
    keep(project, [(f"request {n}", f"git {n}") for n in range(12)])
    assert main(["dataset", "sft", "--output", "train.jsonl", *arguments]) == 3
    assert words in capsys.readouterr().err
    assert not (project / "train.jsonl").exists()


def test_sft_with_too_few_examples_is_unfit(project, capsys):
    keep(project, [(f"request {n}", f"git {n}") for n in range(3)])
    assert main(["dataset", "sft", "--output", "train.jsonl"]) == REFUSED
    assert "3 examples; platforms ask for at least 10" in capsys.readouterr().out


def test_an_invalid_label_is_a_wrong_command_line(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["dataset", "sft", "--output", "f", "--metadata", "task"])
    assert "'task' is not a label; write KEY=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["0", "1", "x", "nan"])
def test_an_invalid_share_is_a_wrong_command_line(share, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["dataset", "sft", "--output", "f", "--validation", share])
    assert "is not a share above 0" in capsys.readouterr().err


def test_dpo_from_a_table(project, capsys):
    rows = [f"request {n},good {n},bad {n}" for n in range(60)]
    (project / "pairs.csv").write_text("\n".join(["q,good,bad", *rows, "x,same,same", "y,,bad"]))
    columns = ["--instruction", "q", "--chosen", "good", "--rejected", "bad", "--system", "Git."]
    assert main(["dataset", "dpo", "--from", "pairs.csv", *columns, "--output", "dpo.jsonl"]) == 0
    said = capsys.readouterr().out
    assert "dpo.jsonl: 60 examples" in said
    assert "left out: 1 (identical answers)" in said
    assert "left out: 1 (an empty field)" in said
    assert main(["dataset", "check", "dpo.jsonl"]) == 0


def test_dpo_with_wrong_columns_or_too_few_rows(project, capsys):
    (project / "pairs.jsonl").write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n')
    command = ["dataset", "dpo", "--from", "pairs.jsonl", "--output", "dpo.jsonl"]
    assert main(command) == 3
    assert "pairs.jsonl:1: there is no column 'instruction'; there are 'prompt'" in capsys.readouterr().err
    assert main([*command, "--instruction", "prompt"]) == REFUSED


def test_check_finds_the_format_and_names_lines(project, capsys):
    write(project / "dpo.jsonl", [*sixty(pair), pair("x", "same", "same")])
    assert main(["dataset", "check", "dpo.jsonl"]) == REFUSED
    assert "dpo.jsonl:61: preferred and non-preferred output are identical" in capsys.readouterr().out
    assert main(["dataset", "check", "dpo.jsonl", "--format", "sft"]) == REFUSED
    assert 'dpo.jsonl:1: no "messages": this is a preference example' in capsys.readouterr().out


def test_check_counts_what_it_does_not_print(project, capsys):
    write(project / "f.jsonl", [b"{x"] * 80)
    assert main(["dataset", "check", "f.jsonl"]) == REFUSED
    said = capsys.readouterr().out
    assert "… and 31 more" in said
    assert "not fit for training, 81 errors, 0 remarks" in said


def test_check_against_an_evaluation(project, capsys):
    write(project / "train.jsonl", [*sixty(), example("Show the log!")])
    cases = [
        {"id": "c1", "request": "show the log", "tags": ["history"]},
        {"id": "c2", "request": "x", "tags": ["stash"]},
    ]
    (project / "test.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    command = ["dataset", "check", "train.jsonl", "--against", "test.jsonl", "--tags"]
    assert main(command) == REFUSED
    said = capsys.readouterr().out
    assert (
        "1 of the 2 cases of test.jsonl overlap with the file: 1 except for case, space, punctuation and look-alikes"
        in said
    )
    assert "line 61  case c1  1.00" in said
    assert "no example has tags" in said
    (project / "source.jsonl").write_text('{"id": 1, "request": "Show the log", "tags": ["history"]}\n')
    assert main([*command, "source.jsonl"]) == REFUSED
    assert "Nothing is learned about stash (1 cases)" in capsys.readouterr().out
    (project / "wrapped.yaml").write_text('messages:\n  - {role: user, content: "Please: {{ item.request }}"}\n')
    assert main([*command, "--prompt", "wrapped.yaml"]) == 0


def test_check_estimates_costs_from_the_price_file(project, capsys):
    write(project / "train.jsonl", sixty())
    (project / "prices.yaml").write_text(
        "small: {input: 0.15, output: 0.6, training: 3}\nft:small: {input: 0.3, output: 1.2}\nlarge: {input: 2.5, output: 10}\n"
    )
    (project / "distilltest.yaml").write_text(
        "models:\n  base: {server: embedded, model: small}\n  teacher: {server: embedded, model: large}\nprices: prices.yaml\n"
    )
    assert main(["dataset", "check", "train.jsonl"]) == 0
    said = capsys.readouterr().out
    assert "training: about $0.0" in said
    assert "has paid for itself after" in said
    (project / "p.yaml").write_text(SHORT.replace("Git.", "word " * 400))
    (project / "t.jsonl").write_text('{"id": 1, "request": "x"}\n')
    with (project / "distilltest.yaml").open("a") as file:
        file.write("distillation: {train: t.jsonl, prompt: p.yaml}\n")
    assert main(["dataset", "check", "train.jsonl"]) == 0
    longer = capsys.readouterr().out
    assert "Base and teacher are asked with p.yaml" in longer
    assert longer.split("paid for itself after ")[1] != said.split("paid for itself after ")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.jsonl"], "none.jsonl cannot be read: there is no such file"),
        (["train.jsonl", "--against", "none.jsonl"], "none.jsonl cannot be read: there is no such file"),
        (["train.jsonl", "--tags"], "name its dataset with --against"),
    ],
)
def test_check_says_what_is_wrong(project, capsys, arguments, words):
    write(project / "train.jsonl", sixty())
    assert main(["dataset", "check", *arguments]) == 3
    assert words in capsys.readouterr().err


def test_cases_without_an_id_are_named_by_their_line(project, capsys):
    write(project / "train.jsonl", [*sixty(), example("Show the log!")])
    (project / "test.csv").write_text("request\nshow it\nshow the log\n")
    assert main(["dataset", "check", "train.jsonl", "--against", "test.csv"]) == REFUSED
    assert "line 61  case test.csv:3  1.00" in capsys.readouterr().out


def test_clean_leaves_out_leaks_duplicates_and_bad_lines_and_says_so(project, capsys):
    rows = [
        *sixty(),
        b"{x",
        example("Show the log!"),
        example("Request number 5"),
        example("request number 5", "other"),
    ]
    write(project / "train.jsonl", rows)
    (project / "test.jsonl").write_text('{"request": "show the log"}\n')
    command = ["dataset", "clean", "train.jsonl", "--against", "test.jsonl", "--output", "clean.jsonl"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "clean.jsonl: 61 examples" in said
    assert "left out: 1 (a platform would reject them)" in said
    assert "left out: 1 (leaked from an evaluation: except for case, space, punctuation and look-alikes)" in said
    assert "left out: 1 (the same example again, except for case, space and punctuation)" in said
    whole = (project / "train.jsonl").read_bytes().splitlines()
    assert (project / "clean.jsonl").read_bytes().splitlines() == [*whole[:60], whole[63]]
    assert main(["dataset", "check", "clean.jsonl", "--against", "test.jsonl"]) == 0
    assert main(["dataset", "clean", "clean.jsonl", "--against", "test.jsonl", "--output", "again.jsonl"]) == 0
    assert (project / "again.jsonl").read_bytes() == (project / "clean.jsonl").read_bytes()


def test_clean_keeps_near_lines_unless_it_is_told_not_to(project, capsys):
    asked = "please show me the last five commits of the branch main with their authors and dates on one line"
    write(project / "train.jsonl", [*sixty(), example(asked.replace("main", "dev"))])
    (project / "test.jsonl").write_text(json.dumps({"request": asked}) + "\n")
    command = ["dataset", "clean", "train.jsonl", "--against", "test.jsonl", "--output", "clean.jsonl"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "remark: 1 cases of test.jsonl are nearly in the file" in said
    assert "clean.jsonl: 61 examples" in said
    assert main([*command, "--without-near"]) == 0
    assert "clean.jsonl: 60 examples" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output", "train.jsonl"], "that is the file itself"),
        (["--output", "c.jsonl", "--without-near"], "name their dataset with --against"),
        (
            ["--output", "c.jsonl", "--against", "all.jsonl"],
            "no line is fit to learn from (60 leaked from an evaluation",
        ),
    ],
)
def test_clean_says_what_is_wrong_and_writes_nothing(project, capsys, arguments, words):
    write(project / "train.jsonl", sixty())
    (project / "all.jsonl").write_text(
        "".join(json.dumps({"request": f"request number {n}"}) + "\n" for n in range(60))
    )
    before = (project / "train.jsonl").read_bytes()
    assert main(["dataset", "clean", "train.jsonl", *arguments]) == 3
    assert words in capsys.readouterr().err
    assert (project / "train.jsonl").read_bytes() == before
    assert not (project / "c.jsonl").exists()


@pytest.mark.parametrize("action", ["sft", "dpo", "check", "clean"])
def test_help_teaches_by_example(action, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["dataset", action, "--help"])
    said = capsys.readouterr().out
    assert f"distilltest dataset {action} " in said.split("positional arguments")[0].split("options:")[0]
    assert max(map(len, said.splitlines())) <= 130
