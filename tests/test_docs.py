"""Links in the documentation work, and pages that code, tests and workflows mention exist."""

import re
import subprocess
import unicodedata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^(`{3,}).*?^\1`*$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(`+)(?:(?!\1).)+?\1")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.*?)(?: +#+)?$", re.MULTILINE)
MENTION = re.compile(r"(?<![\w/:.-])docs/[\w./-]*[\w-]")
NOT_OURS = ("fixtures/", "tests/test_docs.py")
"""Files that mention docs/ folders of other projects."""


def slug(heading):
    """The anchor of a heading, by the rule that GitHub and Python-Markdown share for single spaces."""
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip())


def anchors(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {slug(heading) for heading in HEADING.findall(text)} | set(re.findall(r'<a id="([^"]+)"', text))


def broken(page, target):
    """Why a link of a page is broken; None if it works."""
    if re.match(r"[a-z]+:", target):
        return None
    name, _, anchor = target.partition("#")
    there = (page.parent / name).resolve() if name else page
    if not there.is_file():
        return "it leads to no file"
    if DOCS in page.parents and DOCS not in there.parents:
        return "it leads out of docs/, which the site does not have"
    if anchor and anchor not in anchors(there):
        return f"the page has no heading #{anchor}, only {sorted(anchors(there))}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_page_and_a_heading(page):
    text = CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    wrong = {target: why for target in LINK.findall(text) if (why := broken(page, target))}
    assert not wrong


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("README.md", None),
        ("nowhere.md", "no file"),
        ("tutorial/", "no file"),
        ("../Makefile", "out of docs/"),
        ("tutorial/guide.md#no-such-heading", "no heading"),
        ("#no-such-heading", "no heading"),
    ],
)
def test_a_broken_link_is_noticed(target, why):
    said = broken(DOCS / "README.md", target)
    assert (said is None) if why is None else (why in said)


def test_no_two_pages_have_the_same_name():
    """Tests find a page by its name, so that pages can move."""
    names = [path.name for path in DOCS.rglob("*.md")]
    assert len(set(names)) == len(names)


def test_the_map_of_the_documentation_names_every_page():
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in LINK.findall(text)}
    decisions = DOCS / "explanation/decisions"
    missing = [page for page in DOCS.rglob("*.md") if page not in linked and decisions not in page.parents]
    assert missing == [DOCS / "README.md"]


def test_every_page_that_code_and_tests_mention_exists():
    """``docs/explanation/decisions/0012`` stands for the page whose name starts with it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    found, missing = 0, []
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if not name or name.startswith(NOT_OURS) or path.suffix in (".svg", ".jsonl", ".txt") or not path.is_file():
            continue
        for mention in MENTION.findall(path.read_text(encoding="utf-8")):
            found += 1
            if not (ROOT / mention).exists() and not list(ROOT.glob(f"{mention}*.md")):
                missing.append((name, mention))
    assert not missing
    assert found > 20
