import re
import socket
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.graders import python_grader, python_pool
from distilltest.graders.python_grader import isolation
from distilltest.graders.python_isolation import LAYERS
from distilltest.graders.python_process import PythonWorker

SAMPLE = {"output_text": "Rome"}


@pytest.fixture(autouse=True, scope="module")
def _no_process_is_left():
    yield
    python_pool.close_all()
    assert not python_pool._POOL


def grading(*lines):
    return "def grade(sample, item):\n" + "".join(f"    {line}\n" for line in lines)


def run(*lines, item=None, **options):
    return python_grader(grading(*lines), SAMPLE, item or {}, **options)


def test_grade_returns_the_score():
    grade = run("return len(sample['output_text']) / item['of']", item={"of": 8})
    assert (grade.name, grade.score, grade.passed, grade.reason) == ("python_grader", 0.5, True, "grade returned 0.5")
    assert not run("return 0.5", pass_threshold=0.6).passed
    assert run("return True").score == 1.0


def test_a_number_of_another_library_is_a_number():
    assert run("import numpy", "return numpy.float32(0.5)").score == 0.5


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("return 1 / 0", r"ZeroDivisionError: division by zero \(line 2\)"),
        ("return item['x']", r"KeyError: 'x' \(line 2\)"),
        ("raise SystemExit(3)", r"SystemExit: 3 \(line 2\)"),
        ("raise KeyboardInterrupt", r"KeyboardInterrupt \(line 2\)"),
        ("return grade(sample, item)", r"RecursionError: .* \(line 2\)"),
        ("return None", "TypeError: grade returned None, which is not a number"),
        ("return '1'", "TypeError: grade returned '1', which is not a number"),
        ("return float('nan')", "ValueError: grade returned nan, which is not a score"),
        ("return float('inf')", "ValueError: grade returned inf, which is not a score"),
        ("return 10**400", "OverflowError"),
        ("import os; os._exit(3)", r"its process ended \(exit code 3\)"),
        ("import os; os.kill(os.getpid(), 9)", "its process was ended by SIGKILL"),
    ],
)
def test_an_error_in_grade_scores_zero_with_its_reason(line, reason):
    grade = run(line)
    assert (grade.score, grade.passed) == (0.0, False)
    assert re.match(reason, grade.reason), grade.reason


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def grade(sample, item)", r"the source is broken: SyntaxError: .*line 1"),
        ("x = 1", r"it has no function grade\(sample, item\)"),
        ("def grade(sample): return 1", r"grade does not take exactly \(sample, item\)"),
        ("grade = 3", "the source is broken"),
        (
            "import no_such_module\n" + grading("return 1"),
            r"ModuleNotFoundError: No module named 'no_such_module' \(line 1\)",
        ),
        ("raise KeyError('x')", r"KeyError: 'x' \(line 1\)"),
        ("\0", "the source is broken"),
        ("#" * 300_000, "more than 256 KiB"),
        (grading("return 5"), r"grade returned 5; a score is in \[0, 1\]"),
        (grading("return -0.1"), "grade returned -0.1"),
    ],
)
def test_a_mistake_that_affects_every_case_is_an_error(source, message):
    with pytest.raises(SuiteError, match=message):
        python_grader(source, SAMPLE, {})


@pytest.mark.parametrize("options", [{"time_limit": 0}, {"memory_limit": -1}, {"pass_threshold": 2}])
def test_limits_make_sense(options):
    with pytest.raises(SuiteError):
        run("return 1", **options)


def test_an_item_that_is_not_json_is_an_error():
    with pytest.raises(SuiteError, match="is not JSON"):
        run("return 1", item={"x": object()})


def test_an_answer_can_have_any_characters_and_any_size():
    sample = {"output_text": "\ud800\u2028\n\0" + "x" * 3_000_000}
    source = grading("return len(sample['output_text']) == 3_000_004")
    assert python_grader(source, sample, {}).score == 1.0


def test_deep_nesting_in_an_answer_crashes_nothing():
    deep = []
    for _ in range(5000):
        deep = [deep]
    grade = python_grader(grading("return 1"), {"output_json": deep}, {})
    assert (grade.score, grade.reason) in [(1.0, "grade returned 1"), (0.0, "the sample is nested too deeply")]


@pytest.mark.parametrize("line", ["while True: pass", "import time; time.sleep(60)"])
def test_a_call_that_takes_too_long_scores_zero_and_the_next_one_works(line):
    lines = ("if item.get('quick'): return 1", line)
    start = time.perf_counter()
    grade = run(*lines, time_limit=0.5)
    assert time.perf_counter() - start < 10
    assert (grade.score, grade.reason) == (0.0, "grade took longer than 0.5 s")
    assert run(*lines, item={"quick": True}, time_limit=0.5).score == 1.0


def test_memory_is_limited_if_the_system_enforces_the_limit():
    lines = ("return len(bytearray(2_000_000_000)) / 2_000_000_000",)
    if isolation().memory:
        grade = run(*lines, memory_limit=512 * 1024**2)
        assert (grade.score, grade.reason) == (0.0, "MemoryError (line 2)")


def test_the_process_is_kept_and_the_source_is_executed_anew():
    lines = ("import os, sys", "seen = [seen for seen in globals() if seen == 'mark']", "globals()['mark'] = 1")
    pids = (*lines, "return os.getpid() / 2**22 if not seen else 5")
    assert run(*pids).score == run(*pids).score


def test_sources_have_processes_of_their_own_and_few_are_kept():
    drawn = ("import random, sys", "sys.drawn = getattr(sys, 'drawn', random.random())")
    assert len({run(*drawn, "return sys.drawn").score for _ in range(3)}) == 1
    scores = [run(*drawn, f"return {n} * 0 + sys.drawn").score for n in range(python_pool.MOST + 3)]
    assert len(set(scores)) == len(scores)
    assert len(python_pool._POOL) <= python_pool.MOST


def test_calls_from_many_threads_each_get_their_own_answer():
    scores = {}

    def call(number):
        scores[number] = run("return item['n'] / 100", item={"n": number}).score

    threads = [threading.Thread(target=call, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scores == {n: n / 100 for n in range(20)}


def test_what_is_printed_or_read_disturbs_nothing():
    lines = (
        "import os, sys",
        "print('{\"score\": 0}', flush=True); os.write(1, b'x\\n'); sys.stderr.write('y')",
        "return sys.stdin.read() == '' and os.read(0, 9) == b''",
    )
    assert [run(*lines).score for _ in range(3)] == [1.0] * 3


@pytest.mark.parametrize("forged", ["[]", "{}", '{"score": "1"}', "x"])
def test_a_forged_answer_crashes_nothing(forged):
    lines = ("import os", "import stat as s", "stat = lambda n: s.S_ISFIFO(os.fstat(n).st_mode)")
    lines += (
        "for n in range(3, 9):",
        f"    try: stat(n) and os.write(n, {forged + chr(10)!r}.encode())",
        "    except OSError: pass",
    )
    assert run(*lines, "return 1").score == 0.0


def test_the_environment_has_no_secrets(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "/secret")
    assert run("import os", "return 'secret' not in str(os.environ) and os.listdir() == []").score == 1.0


def connecting(port):
    return grading("import socket", f"socket.create_connection(('127.0.0.1', {port}), 2)", "return 1")


@pytest.mark.parametrize("layers", [LAYERS, ["seccomp"], []])
def test_the_grader_has_no_network(layers):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), 2).close()
        worker = PythonWorker(connecting(port), 2**31, 10, layers=layers)
        answer = worker.ask({"sample": {}, "item": {}}, 10)
    worker.close()
    assert "a grader has no network (socket." in answer["error"]


def test_where_the_system_keeps_nothing_python_starts_no_program():
    worker = PythonWorker(grading("import subprocess", "subprocess.run(['true'])", "return 1"), 2**31, 10, layers=[])
    answer = worker.ask({"sample": {}, "item": {}}, 10)
    worker.close()
    assert (worker.isolation["network"], worker.isolation["processes"]) == ("hook", "hook")
    assert "a grader starts no programs here (subprocess.Popen)" in answer["error"]


def test_the_directory_is_removed():
    worker = PythonWorker(grading("import os", "open('x', 'w').close()", "return os.path.exists('x')"), 2**31, 10)
    assert worker.ask({"sample": {}, "item": {}}, 10) == {"score": 1.0}
    directory = Path(worker._directory)
    assert directory.exists()
    worker.close()
    assert not directory.exists()


@settings(max_examples=30, deadline=None)
@given(st.text() | st.text(alphabet="def grade(sample,item):return 10\n "))
def test_no_source_crashes_it(source):
    try:
        grade = python_grader(source, SAMPLE, {}, time_limit=5)
    except SuiteError:
        return
    assert 0 <= grade.score <= 1


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_annotations_may_be_texts(future):
    source = (
        f"{future}from dataclasses import dataclass, field\nfrom typing import NamedTuple, TypedDict, get_type_hints\n\n"
        "@dataclass\nclass Answer:\n    text: str\n    words: list[str] = field(default_factory=list)\n\n"
        "class Pair(NamedTuple):\n    a: int\n    b: 'Answer'\n\n"
        "class Row(TypedDict):\n    reference: str\n\n"
        "def grade(sample: dict, item: Row) -> float:\n"
        "    assert get_type_hints(Answer)['text'] is str and get_type_hints(Pair)['b'] is Answer\n"
        "    return float(Answer(sample['output_text']).text == item['reference'])\n"
    )
    grade = python_grader(source, {"output_text": "Rome"}, {"reference": "Rome"})
    assert (grade.score, grade.reason) == (1.0, "grade returned 1")


def test_a_score_that_is_off_by_rounding_is_the_bound():
    assert python_grader("def grade(sample, item): return 1.0000000000000002", {}, {}).score == 1.0
    assert python_grader("def grade(sample, item): return -1e-17", {}, {}).score == 0.0
