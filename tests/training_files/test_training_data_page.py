"""The files of docs/how-to/training-data.md are written, and its commands print what the page shows."""

from pages import follow


def test_every_command_of_the_page_says_what_the_page_says(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    assert follow("training-data.md", tmp_path) >= 7
