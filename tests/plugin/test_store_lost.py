"""A session whose store is lost or full during the run sends nothing more, gives no verdict, and says why."""

import shutil

import pytest
from plugin.answering_server import chat_answer
from plugin.test_interruption import Held, start
from processes import PATIENCE

from distilltest.errors import StoreError
from distilltest.exit_codes import COULD_NOT_RUN
from distilltest.pytest_plugin.session import Options, Session

FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
"""


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "workers"])
def test_a_store_deleted_in_mid_run_ends_it_with_an_error(project, options):
    held = Held(project, 40)
    running = start(project, *options)
    assert held.asked.wait(PATIENCE)
    (project.root / ".distilltest").rename(project.root / "gone")  # at once, unlike deleting its files one by one
    shutil.rmtree(project.root / "gone")
    held.release.set()
    said, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode == COULD_NOT_RUN
    assert "store.sqlite3 was deleted, moved or replaced while this run was using it" in said
    assert "promote" not in said
    assert "Traceback" not in said


def test_a_verdict_that_the_store_lost_is_none(project):
    session = Session(project.root, Options(), "pytest")
    try:
        assert session.finish() is None
        with pytest.raises(StoreError, match=r"has no report of suites/test_a\.py::test_a, which came to a verdict"):
            session.finish(judged=["suites/test_a.py::test_a"])
    finally:
        session.close()


def test_a_full_disk_ends_the_asking(project):
    """With a limit on the size of files in the session's own process: what a full disk does, without one."""
    project.cases(1000)
    project.write("suites/conftest.py", FULL)
    text = (project.root / "suites/test_numbers.py").read_text()
    project.write("suites/test_other.py", text.replace("test_numbers", "test_other").replace("cases", "others"))
    project.write("others.jsonl", (project.root / "cases.jsonl").read_text().replace("number ", "number 5000"))
    long = "no idea " * 2000
    for role in ("base", "teacher", "candidate"):
        project.server.special[role] = lambda model, number: (200, chat_answer(model, long))
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    result.assert_outcomes(failed=2)
    out = result.stdout.str()
    assert out.count("The disk is full, or the file system fails. Make room and run again") >= 2
    assert "Traceback" not in out
    assert sum(project.server.calls.values()) < 1000  # of 3000
    assert not [
        number for _, number in project.server.calls if number >= 5000
    ]  # the second evaluation asks for nothing
