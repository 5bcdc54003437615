"""The generated pages of the documentation are those that the code makes today."""

import pytest

from scripts.reference import DOCS, NOTE, pages

MADE = pages()


@pytest.mark.parametrize("path", MADE)
def test_a_generated_page_is_current(path):
    assert (DOCS / path).read_text(encoding="utf-8") == MADE[path], "run `make reference` and commit what it writes"


def test_every_page_that_says_it_is_generated_is():
    said = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if page.read_text().startswith(NOTE)}
    assert said == set(MADE)


def test_no_generated_page_holds_what_differs_from_process_to_process():
    assert not [path for path, text in MADE.items() if " at 0x" in text or str(DOCS.parent) in text]
