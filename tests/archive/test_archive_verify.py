"""``archive verify`` names every kind of damage."""

import json

import pytest

from distilltest.cli import main
from distilltest.exchange.archive.verify import verify as problems_of
from distilltest.exit_codes import REFUSED

ITEMS = "evals/eval_0000/runs/evalrun_0000/output_items.jsonl"


@pytest.fixture
def verify(save, tmp_path, capsys):
    """Archives the platform; then verifies the copy: exit code and lines."""
    save()

    def verify():
        code = main(["archive", "verify", str(tmp_path / "archive")])
        said = capsys.readouterr()
        return code, (said.out + said.err).splitlines()

    return verify


def test_an_untouched_archive_is_well(verify):
    code, said = verify()
    assert code == 0
    assert said[-1] == "problems: 0"
    assert "         12 output items" in said


def test_every_file_cut_changed_longer_or_missing_is_named(verify, tmp_path):
    """Each file of the archive in turn, in each way."""
    root = tmp_path / "archive"
    for path in [each for each in root.rglob("*") if each.is_file() and each.name != "manifest.json"]:
        name, content = path.relative_to(root).as_posix(), path.read_bytes()
        middle = len(content) // 2
        changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        for damage, word in (
            (content[:-1], "CUT"),
            (changed, "CHANGED"),
            (content + b" ", "LONGER"),
            (None, "MISSING"),
        ):
            path.unlink()
            if damage is not None:
                path.write_bytes(damage)
            (problem,) = problems_of(root)[1]
            assert problem.startswith(f"{word}: {name}")
            path.write_bytes(content)
    assert verify()[0] == 0


def test_lost_lines_are_counted(verify, tmp_path):
    path = tmp_path / "archive" / ITEMS
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert verify()[1][0].endswith(": 2 objects of 3")


@pytest.mark.parametrize("name", ["notes.txt", "evals/eval_0000/run.json", f"{ITEMS}.part", ".hidden", "files/link"])
def test_a_file_that_was_not_saved_is_named(verify, tmp_path, name):
    path = tmp_path / "archive" / name
    if name.endswith("link"):
        path.symlink_to("/etc/passwd")
    else:
        path.write_text("x")
    code, said = verify()
    assert code == REFUSED
    assert said[0].startswith(f"EXTRA: {name}")


def test_an_object_that_an_index_names_and_the_manifest_has_not_is_named(verify, tmp_path):
    from distilltest.exchange.archive import manifest as manifests

    root = tmp_path / "archive"
    (root / "evals/eval_0001/eval.json").unlink()
    manifest = manifests.read(root)
    manifests.write(root, manifest.server, manifest.started, [])
    code, said = verify()
    assert code == REFUSED
    assert said[0] == "MISSING: evals/eval_0001/eval.json, of 'eval_0001' in evals/index.jsonl"


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content["files"].pop(ITEMS),
        lambda content: content["counts"].update(evals=3),
        lambda content: content["refused"].append({"path": "x", "status": 403, "message": ""}),
        lambda content: content.pop("manifest_sha256"),
        lambda content: content.update(files=[]),
        lambda content: content.update(format="distilltest archive 2"),
    ],
)
def test_an_edited_manifest_is_named(verify, tmp_path, edit):
    path = tmp_path / "archive/manifest.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    code, said = verify()
    assert code == 3
    assert "manifest.json is damaged" in said[0]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"server": 1}', b"\xff"])
def test_a_manifest_that_is_no_manifest_is_named(verify, tmp_path, content):
    (tmp_path / "archive/manifest.json").write_bytes(content)
    code, said = verify()
    assert code == 3
    assert "manifest.json is damaged" in said[0]


def test_what_is_no_archive_is_told(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "nowhere"):
        assert main(["archive", "verify", str(path)]) == 3
        assert "is not a" in capsys.readouterr().err
