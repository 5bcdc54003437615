"""The progress of a long evaluation."""

import re
import time

from plugin.test_judges import honest, judged

__all__ = ["judged"]


def test_a_log_says_how_many_answers_wait_for_a_judge(judged):
    def slow(body):
        time.sleep(0.2)
        return honest(body)

    judged.server.scripted["judge"] = slow
    judged.cases(30)
    judged.at_once(6)
    judged.write("conftest.py", "from distilltest.pytest_plugin import progress\n\nprogress.EVERY = 0.05\n")
    said = judged.run().stderr.str()
    states = re.findall(r"test_numbers: (\d+) of 90 graded(?:, (\d+) wait for a judge)?, 0 calls failed", said)
    graded = [int(done) for done, _ in states]
    waiting = [int(count or 0) for _, count in states]
    assert graded == sorted(graded), said
    assert graded[0] < 60 < max(graded), "shown before the judge has answered, and while it answers"
    assert max(waiting) > 20
    assert all(done + count <= 90 for done, count in zip(graded, waiting, strict=True))
