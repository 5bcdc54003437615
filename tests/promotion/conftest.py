"""One project, copied for each test: its runs (on a proved candidate, a better, a bad and an unsure one) are made once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin.answering_server import AnsweringServer
from promotion.projects import Project


@pytest.fixture(scope="session")
def server() -> Iterator[AnsweringServer]:
    with AnsweringServer() as running:
        running.knows |= {
            "candidate": lambda n: n >= 1,
            "bad": lambda n: n % 2 == 0,
            "unsure": lambda n: n % 10 != 3,
            "better": lambda n: True,
            "new": lambda n: True,
        }
        yield running


@pytest.fixture(autouse=True)
def no_dates(server: AnsweringServer) -> Iterator[None]:
    yield
    server.shutdown_dates = None


@pytest.fixture(scope="session")
def made(server: AnsweringServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(tmp_path_factory.mktemp("made"), server)
    project.make()
    assert project.pytest() == 0
    assert project.pytest("--candidate", "better") == 0
    assert project.pytest("--candidate", "bad") == 1
    assert project.pytest("--candidate", "unsure") == 10
    return project.root


@pytest.fixture
def project(made: Path, server: AnsweringServer, tmp_path: Path) -> Project:
    """With whole runs: candidate and better say promote, bad blocks, unsure is undecided."""
    shutil.copytree(made, tmp_path / "project")
    return Project(tmp_path / "project", server)


@pytest.fixture(scope="session")
def made_promoted(made: Path, server: AnsweringServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("promoted") / "project"
    shutil.copytree(made, folder)
    assert Project(folder, server).run("promote") == 0
    return folder


@pytest.fixture
def promoted(made_promoted: Path, server: AnsweringServer, tmp_path: Path) -> Project:
    """The same with one promotion, of candidate."""
    shutil.copytree(made_promoted, tmp_path / "project")
    return Project(tmp_path / "project", server)
