"""The commands of docs/tutorial/guide.md print what the page shows."""

import re
from pathlib import Path

from pages import follow, without_run_ids

CHANGES = (
    (r"\bftjob-[0-9a-f]+", "JOB"),
    (r"(\bft[:-][\w:-]+?[:-])[0-9a-f]{8}\b", r"\1MODEL"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?|\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"\b[\d.]+ ?m?s\b", "SECONDS"),
    (r"\b\d+ requests sent\b", "some requests sent"),  # requests that a busy server rejects are sent again
    (r"-{3,}", "---"),  # column widths depend on the values above
    (r" {2,}", " "),
)


def plain(text):
    """Remove what differs between runs: ids, times, latencies, and column widths."""
    text = without_run_ids(text)
    for pattern, instead in CHANGES:
        text = re.sub(pattern, instead, text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def test_every_command_of_the_guide_says_what_the_guide_says(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    assert follow("guide.md", tmp_path, plain, CHECKOUT=str(Path(__file__).parents[1]), COLUMNS="80") >= 20
