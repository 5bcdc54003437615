"""``distilltest learning-curve``: nested subsets, what is measured, what is drawn, what is answered."""

import json
import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest
from finetuning.project import write_lines

from distilltest.distillation.learning_curve import markdown, svg, text
from distilltest.distillation.learning_curve.curve import Curve, LearningCurve, Point, Share
from distilltest.distillation.learning_curve.subsets import write_subsets
from distilltest.errors import DistilltestError
from distilltest.store import Store, state_keys

SVG = "{http://www.w3.org/2000/svg}"


def share(rate, half=0.04):
    return Share(rate, max(0.0, rate - half), min(1.0, rate + half))


def curve(rates, half=0.04, name="suites/test_git.py::test_git", **references):
    points = tuple(Point(size, f"ft:m:{size}", "run", share(rate, half)) for size, rate in rates.items())
    return Curve(name, 400, "pass", 0.9, points, {role: share(rate) for role, rate in references.items()})


def whole(*curves):
    return LearningCurve("2026-11-21T08:00:00+00:00", "train.jsonl", "0" * 64, 621, 0, "m", curves)


def test_subsets_are_nested_random_and_the_same_for_the_same_seed(tmp_path):
    write_lines(tmp_path / "t.jsonl", [{"n": n} for n in range(100)])
    made = write_subsets(tmp_path / "t.jsonl", [80, 20, 40, None], tmp_path / "parts", seed=3)
    assert [subset.size for subset in made] == [20, 40, 80, 100]
    lines = [subset.path.read_text().splitlines() for subset in made]
    assert [len(each) for each in lines] == [20, 40, 80, 100]
    for small, large in combinations(lines, 2):
        assert set(small) < set(large)
    assert lines[0] != sorted(lines[0], key=lambda line: json.loads(line)["n"])
    assert made[-1].path == tmp_path / "t.jsonl"
    again = write_subsets(tmp_path / "t.jsonl", [20], tmp_path / "again", seed=3)
    assert again[0].path.read_text().splitlines() == lines[0]
    other = write_subsets(tmp_path / "t.jsonl", [20], tmp_path / "other", seed=4)
    assert other[0].path.read_text().splitlines() != lines[0]
    assert [s.size for s in write_subsets(tmp_path / "t.jsonl", [], tmp_path / "usual", seed=0)] == [50, 100]


@pytest.mark.parametrize(("size", "words"), [(9, "too small"), (101, "has 100 examples")])
def test_sizes_that_cannot_be_are_refused(tmp_path, size, words):
    write_lines(tmp_path / "t.jsonl", [{"n": n} for n in range(100)])
    with pytest.raises(DistilltestError, match=words):
        write_subsets(tmp_path / "t.jsonl", [size], tmp_path, seed=0)


@pytest.mark.parametrize(
    ("rates", "half", "needs", "sizes"),
    [
        ({50: 0.2, 100: 0.4, 200: 0.6}, 0.04, True, "from 100 to 200"),
        ({50: 0.2, 100: 0.58, 200: 0.6}, 0.04, False, "from 100 to 200"),
        ({100: 0.5, 200: 0.54}, 0.05, False, "from 100 to 200"),
        ({100: 0.5, 200: 0.56}, 0.05, True, "from 100 to 200"),
        ({100: 0.7, 200: 0.5}, 0.05, False, "from 100 to 200"),
        ({100: 0.3, 250: 0.5, 400: 0.52}, 0.04, True, "from 100 to 400"),
        ({300: 0.3, 400: 0.5}, 0.04, True, "from 300 to 400"),
        ({50: 0.3}, 0.04, None, "One size cannot show"),
    ],
)
def test_more_data_helps_where_the_last_doubling_gained_more_than_half_the_interval(rates, half, needs, sizes):
    made = curve(rates, half, teacher=0.7)
    assert made.needs_more_data is needs
    assert sizes in made.sentence
    assert ("would help" in made.sentence, "would hardly help" in made.sentence) == (needs is True, needs is False)


def labels(picture):
    """Boxes of all texts: (left, top, right, bottom, text), with the width of a bold 13-pixel letter at most."""
    found = []
    for element in ElementTree.fromstring(picture).iter(f"{SVG}text"):
        x, y = float(element.get("x")), float(element.get("y"))
        width = len(element.text) * (9.2 if "title" in element.get("class") else 7.8)
        left = {"start": x, "middle": x - width / 2, "end": x - width}[element.get("text-anchor")]
        found.append((left, y - 10, left + width, y + 3, element.text))
    return found


@pytest.mark.parametrize(
    "made",
    [
        curve({50: 0.19, 100: 0.33, 200: 0.49, 400: 0.69, 621: 0.72}, base=0.03, teacher=0.73),
        curve({50: 0.5, 100: 0.5, 200: 0.5}, base=0.5, teacher=0.5),
        curve({50: 1.0, 100: 1.0}, base=0.99, teacher=1.0),
        curve({50: 0.0, 100: 0.0}, base=0.0, teacher=0.01),
        curve({390: 0.4, 395: 0.41, 400: 0.42}, base=0.41, teacher=0.43),
        curve({10: 0.1, 11: 0.2, 12: 0.3, 100_000: 0.9}, base=0.05),
        curve({50: 0.5}),
    ],
    ids=["rising", "all equal", "ceiling", "floor", "near sizes", "far sizes", "one size"],
)
def test_labels_of_the_picture_do_not_collide_and_stay_inside(made):
    picture = svg.render(whole(made))
    boxes = labels(picture)
    for one, other in combinations(boxes, 2):
        apart = one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
        assert apart, (one, other)
    for left, top, right, bottom, said in boxes:
        assert left >= 0, said
        assert right <= svg.WIDTH, said
        assert top >= 0, said
        assert bottom <= svg.HEIGHT, said
    assert f"{made.points[-1].size:,}" in [box[4] for box in boxes]


def test_the_picture_has_a_panel_for_each_evaluation_colours_for_the_dark_and_no_markup_from_names():
    picture = svg.render(whole(curve({50: 0.2, 100: 0.4}, name="a.py::test[<b>&]"), curve({50: 0.2, 100: 0.4})))
    root = ElementTree.fromstring(picture)
    assert len(root.findall(f"{SVG}g")) == 2
    assert float(root.get("height")) == 2 * svg.HEIGHT
    assert "prefers-color-scheme: dark" in picture
    assert "a.py::test[&lt;b&gt;&amp;]" in picture
    assert "would help" in root.find(f"{SVG}title").text


def test_the_terminal_and_the_page_say_the_same_as_the_numbers():
    made = whole(curve({50: 0.19, 100: 0.33, 200: 0.49}, base=0.03, teacher=0.73))
    shown, page = text.summary(made), markdown.render(made)
    for words in ("19.0 %", "33.0 %", "49.0 %", "+14.0", "+16.0", "45.0 to 53.0", made.curves[0].sentence):
        assert words in shown
    assert shown.count("●") == 3
    assert "┄ teacher 73.0 %" in shown
    for words in ("49.0 %", "45.0 % to 53.0 %", "curve.svg", made.curves[0].sentence, "ft:m:200"):
        assert words in page


def test_a_curve_is_measured_written_and_found_again(project):
    rows = [
        {"id": f"e-{i}", "request": f"{verb} other-{i}", "reference": f"git {verb} other-{i}"}
        for i in range(30)
        for verb in ["switch"]
    ]
    write_lines(project.root / "test.jsonl", rows)
    done = project.run("learning-curve", "--file", "train.jsonl", "--sizes", "10,20,all")
    assert done.returncode == 0, done.stdout + done.stderr
    [folder] = (project.root / "reports").glob("learning-curve-*")
    assert sorted(path.name for path in folder.iterdir()) == ["curve.json", "curve.md", "curve.svg"]
    content = json.loads((folder / "curve.json").read_text())
    [measured] = content["curves"]
    assert [point["size"] for point in measured["points"]] == [10, 20, 40]
    assert measured["sentence"] in done.stdout
    assert measured["level"] == 0.9
    assert set(measured["references"]) == {"base", "teacher"}
    jobs = {job.fine_tuned_model for job in project.jobs()}
    assert {point["model"] for point in measured["points"]} == jobs
    for point in measured["points"]:
        report = json.loads((project.root / "reports" / point["run"] / "report.json").read_text())
        roles = {line["role"]: line for line in report["evaluations"][0]["roles"]}
        line = roles["candidate"]
        assert point["share"] == {name: line[name] for name in ("rate", "low", "high")}
        assert (line["model"], line["prompt"]) == (point["model"], "short.yaml")
    ElementTree.parse(folder / "curve.svg")
    with Store.open(project.root / ".distilltest/store.sqlite3") as store:
        assert store.get_state(state_keys.CANDIDATE) is None  # measuring is no choice of a candidate


def test_evaluations_of_a_curve_know_what_they_are_for(project):
    suite = project.root / "suites" / "test_git.py"
    suite.write_text(
        "import os\nfrom pathlib import Path\n"
        + suite.read_text()
        + "\n\ndef test_purpose():\n    Path('purpose').write_text(os.environ['DISTILLTEST_PURPOSE'])\n"
    )
    assert project.run("learning-curve", "--file", "train.jsonl", "--sizes", "10").returncode == 0
    assert (project.root / "purpose").read_text() == "learning-curve"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 3, "Name a training file with --file"),
        (("--file", "gone.jsonl"), 3, "there is no such file"),
        (("--file", "train.jsonl", "--sizes", "10,41"), 3, "has 40 examples"),
        (("--file", "train.jsonl", "--sizes", "ten"), 2, "not a list of sizes"),
        (("--file", "train.jsonl", "--sizes", "10", "--suite", "nowhere"), 3, "came to no verdict (exit code 4)"),
    ],
)
def test_what_cannot_be_measured_is_one_message(project, arguments, code, words):
    done = project.call("learning-curve", *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((project.root / "reports").glob("learning-curve-*"))


def test_progress_names_every_size_with_its_rate(project):
    done = project.call("learning-curve", "--file", "train.jsonl", "--sizes", "10,20")
    lines = [line for line in done.stdout.splitlines() if re.match(r" +\d+ examples  ", line)]
    assert [line.split()[0] for line in lines[:4]] == ["10", "20", "10", "20"]
    assert re.search(r"ft:\S+  \d+\.\d % \[\d+\.\d, \d+\.\d\]", lines[2])
