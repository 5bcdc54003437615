"""Mutated files of every kind are read or refused with a clear error, in time, and never with exit code 1."""

import pytest
from fuzz.kinds import KINDS
from fuzz.rounds import neighbours, run


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_the_files_that_are_changed_are_good_ones(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    neighbours(tmp_path)
    for seed in kind.seeds:
        (tmp_path / kind.file).write_bytes(seed)
        kind.read(tmp_path / kind.file)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_a_mutated_file_is_read_or_refused(kind, tmp_path):
    done = run(kind, 60, tmp_path, every=15)
    assert not done.failures, "\n".join(done.failures)
    assert done.files == 60
    assert done.read or kind.name == "promotions", "the mutations are too wild: no file was read"
    assert done.refused, "no file was refused, so nothing was tested"
