"""Every request is sent once, counted by the server: whole processes, in the short form of ``bench.once``."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = (
    "two pytest on one store",
    "two collect on one store",
    "candidate always 400, three that share",
    "judges, two that share",
    "kill -9 in the middle, then again",
    "the store's file through a symbolic link",
)


def test_the_server_receives_each_distinct_request_once_and_the_counts_agree():
    command = [
        sys.executable,
        "-m",
        "bench.once",
        "--runs",
        "1",
        "--cases",
        "40",
        "--latency",
        "0.005",
        "--rows",
        *ROWS,
    ]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("| 1 of 1 | 0 |") == len(ROWS), done.stdout
