"""Files in other encodings, broken files and very large files; each mistake has its line and its remedy."""

import json
import random
import subprocess
import sys

import pytest

from distilltest.cli import main
from distilltest.exit_codes import REFUSED

REQUEST = '{"request": "größer"}\n'
PAIR = '{"instruction": "größer", "chosen": "a", "rejected": "b"}\n'
EXAMPLE = '{"messages": [{"role": "user", "content": "größer"}, {"role": "assistant", "content": "a"}]}\n'
COLLECT = ["collect", "--dry-run", "--dataset"]
DPO = ["dataset", "dpo", "--output", "out.jsonl", "--from"]
CHECK = ["dataset", "check"]
PROMPT = [*COLLECT, "ok.txt", "--prompt"]
SYSTEM = [*COLLECT, "ok.txt", "--system"]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys, command, name, content, code=3):
    """The error of a command that refuses a file."""
    with open(name, "wb") as file:  # noqa: PTH123
        file.write(content)
    assert main([*command, name]) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return said.err if code == 3 else said.out


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-16", ":1: the file is UTF-16. Save it as UTF-8"),
        ("utf-16-le", ":1: the file is UTF-16. Save it as UTF-8"),
        ("utf-16-be", ":1: the file is UTF-16. Save it as UTF-8"),
        ("utf-32", ":1: the file is UTF-32. Save it as UTF-8"),
        ("latin-1", ":1: not UTF-8: byte 0xf6 at column"),
        ("cp1252", "('ö' in Windows-1252 or Latin-1, perhaps). Save the file as UTF-8."),
    ],
)
@pytest.mark.parametrize(
    ("command", "name", "text", "code"),
    [
        (COLLECT, "f.jsonl", REQUEST, 3),
        (COLLECT, "f.json", f"[{REQUEST}]", 3),
        (COLLECT, "f.yaml", "- größer\n", 3),
        (COLLECT, "f.csv", "request größer,b\nx,y\n", 3),
        (COLLECT, "f.txt", "größer\n", 3),
        (DPO, "f.jsonl", PAIR, 3),
        (DPO, "f.csv", "instruction,chosen größer,rejected\n", 3),
        (CHECK, "f.jsonl", EXAMPLE, REFUSED),
    ],
)
def test_other_encodings_are_recognised(capsys, encoding, words, command, name, text, code):
    said = refused(capsys, command, name, text.encode(encoding), code)
    assert words in said
    assert name + (":1" if ":1" in words else "") in said


def test_a_byte_order_mark_is_taken_off_where_a_file_is_only_read(project, capsys):
    text = "\ufeffinstruction,chosen,rejected\n" + "".join(f"größer {n},a,b\n" for n in range(12))
    (project / "f.csv").write_bytes(text.encode())
    assert main([*DPO, "f.csv"]) == 0
    assert (
        json.loads((project / "out.jsonl").read_text().splitlines()[0])["input"]["messages"][0]["content"] == "größer 0"
    )
    (project / "f.txt").write_bytes("\ufeffgrößer\n".encode())
    assert main([*COLLECT, "f.txt"]) == 0
    assert "1 request" in capsys.readouterr().out


def test_a_training_file_with_a_byte_order_mark_is_unfit(capsys):
    said = refused(capsys, CHECK, "f.jsonl", ("\ufeff" + EXAMPLE).encode(), REFUSED)
    assert "f.jsonl:1: the file begins with a byte order mark. Save it as UTF-8 without BOM." in said


@pytest.mark.parametrize("command", [COLLECT, DPO])
def test_mixed_encodings_are_named_at_the_line_that_differs(capsys, command):
    both = '{"instruction": "größer", "chosen": "a", "rejected": "b"}\n'
    said = refused(capsys, command, "f.jsonl", both.encode() * 3 + both.encode("latin-1"))
    assert "f.jsonl:4: not UTF-8: byte 0xf6" in said


@pytest.mark.parametrize(
    ("command", "name", "content", "words"),
    [
        (COLLECT, "f.jsonl", b'{"request": "a"}\n{"request": \n', "f.jsonl:2: not JSON"),
        (COLLECT, "f.jsonl", b'{"request": "a"}\r{"request": "b"}\r', "f.jsonl:1: not JSON: unexpected content after"),
        (COLLECT, "f.jsonl", b"\n \n", "f.jsonl: there is no request in the file. Write at least one."),
        (COLLECT, "f.jsonl", b'"a"\nnull\n', "f.jsonl:2: the request is null; it must be a text or an object"),
        (COLLECT, "f.jsonl", b'"a"\n["b"]\n', "f.jsonl:2: the request is a list"),
        (COLLECT, "f.jsonl", b'{"request": "a"}\n{"request": " "}\n', "f.jsonl:2: the request is empty. Fill it"),
        (COLLECT, "f.jsonl", b'{"question": "", "topic": "x"}\n', "f.jsonl:1: 'question' is empty. Fill it or take"),
        (COLLECT, "f.jsonl", b'{"question": 42}\n', "f.jsonl:1: 'question' is not a text. Write it in quotes"),
        (COLLECT, "f.jsonl", b'{"messages": [{"role": "user", "content": ""}]}\n', "f.jsonl:1: message 1 (user) is empty"),
        (COLLECT, "f.jsonl", b'{"id": 1, "request": "a"}\n{"id": 1, "request": "b"}\n', "f.jsonl:2: the id '1' is there twice"),
        (COLLECT, "f.json", b'["a",\n"b"\n"c"]', "f.json:3: not JSON"),
        (COLLECT, "f.json", b'{"rows": []}', "f.json:1: the object has 'rows'. Write {\"requests\": [...]}, or a list."),
        (COLLECT, "f.yaml", b"- a\n- {b: \n", "f.yaml:3: not YAML"),
        (COLLECT, "f.yaml", b"a: b\n", "f.yaml:1: the object has 'a'. Write {\"requests\": [...]}, or a list."),
        (COLLECT, "f.yaml", b"- !!python/object:os.system x\n", "f.yaml:1: the tag !!python/object:os.system is not supported"),
        (COLLECT, "f.yaml", b"- {request: 2026}\n", "f.yaml:1: 'request' is not a text. Write it in quotes"),
        (COLLECT, "f.csv", b"foo,bar\na,b\n", "f.csv:2: it has 'foo', 'bar', but no text to send"),
        (COLLECT, "f.csv", b"request;topic\na;b\n", "f.csv:1: the columns are separated by semicolons. Save the file"),
        (COLLECT, "f.csv", b"request,topic\na\n", "f.csv:2: 1 fields, but the header has 2 (request, topic)"),
        (COLLECT, "f.csv", b'request\n"a\n', "f.csv:2: not CSV"),
        (COLLECT, "f.csv", b"request,request\na,b\n", "f.csv:1: the header has 'request' twice. Rename one."),
        (COLLECT, "f.csv", b"request,topic\n,x\n", "f.csv:2: the request is empty"),
        (COLLECT, "f.csv", b"", "f.csv: there is no request in the file"),
        (DPO, "f.csv", b"instruction,chosen,rejected\n", "f.csv: there is no pair in the file. Write at least one."),
        (DPO, "f.csv", b"instruction\tchosen\trejected\n", "f.csv:1: the columns are separated by tabs"),
        (DPO, "f.csv", b"instruction,better,rejected\na,b,c\n", "f.csv:2: there is no column 'chosen'; there are 'instruction'"),
        (DPO, "f.jsonl", b'{"instruction": 1, "chosen": "b", "rejected": "c"}\n', "f.jsonl:1: 'instruction' is a number; it"),
        (DPO, "f.jsonl", b"[1]\n", "f.jsonl:1: the row is a list; it must be an object with 'instruction'"),
        (DPO, "f.toml", b"a = 1\n", "f.toml: it ends in '.toml'; rows are read from .jsonl"),
        (PROMPT, "p.yaml", "messages:\n- {role: user, content: größer}".encode("latin-1"), "p.yaml:2: not UTF-8"),
        (PROMPT, "p.yaml", b"messages: [\n", "p.yaml:2: not YAML"),
        (SYSTEM, "s.txt", "größer".encode("latin-1"), "--system s.txt:1: not UTF-8"),
    ],
)  # fmt: skip
def test_each_mistake_has_its_line_and_its_remedy(project, capsys, command, name, content, words):
    (project / "ok.txt").write_text("a request\n")
    assert words in refused(capsys, command, name, content)
    assert not (project / "out.jsonl").exists()


MEASURED = """
import resource, sys
from distilltest.cli import main

code = main(sys.argv[1:])
print("code", code, "megabytes", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def megabytes(*arguments):
    """The peak memory of a command in its own process."""
    command = [sys.executable, "-c", MEASURED, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    said = done.stdout.splitlines()[-1].split()
    assert said[1] == "0", done.stdout + done.stderr
    return int(said[3])


def rows_of(kind, count, padding):
    """Write a file with a number of rows, each with a number of additional bytes."""
    chance = random.Random(1)
    some = [" ".join(f"{chance.getrandbits(28):07x}" for _ in range(padding // 8)) for _ in range(50)]
    for n in range(count):
        one, other = chance.sample(some, 2)
        half = len(one) // 2
        text = f"request {n} {one[:half]} {other[half:]}"
        if kind == "csv":
            yield f"{text},better {n},worse {n}\n"
        elif kind == "txt":
            yield text + "\n"
        elif kind == "pairs":
            yield json.dumps({"instruction": text, "chosen": f"better {n}", "rejected": f"worse {n}"}) + "\n"
        else:
            yield (
                json.dumps({"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "a"}]})
                + "\n"
            )


@pytest.mark.parametrize(
    ("kind", "name", "command"),
    [
        ("jsonl", "f.jsonl", COLLECT),
        ("txt", "f.txt", COLLECT),
        ("csv", "f.csv", DPO),
        ("pairs", "f.jsonl", DPO),
        pytest.param("jsonl", "f.jsonl", CHECK, marks=pytest.mark.thorough),
    ],
)
def test_memory_is_flat_whatever_the_size_of_the_file(project, kind, name, command):
    count = 5000
    taken = []
    for padding in (200, 20_000):  # 1 MB, then 100 MB, with as many rows
        with (project / name).open("w") as file:
            file.write("instruction,chosen,rejected\n" if kind == "csv" else "")
            file.writelines(rows_of(kind, count, padding))
        taken.append(megabytes(*command, name))
    assert (project / name).stat().st_size > 99_000_000
    most = 120 if command is CHECK else 40  # a check compares a sample of 2,000 requests with all others
    assert taken[1] - taken[0] < most, f"{taken} MB for 1 MB and for 100 MB"
