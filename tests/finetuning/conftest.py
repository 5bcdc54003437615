"""A server, and a project that tunes on it."""

import pytest
from finetuning.project import Project

from distilltest.demo_models.embedded_server import EmbeddedServer


@pytest.fixture
def server(tmp_path):
    running = EmbeddedServer.start(tmp_path / "server", job_seconds=0.05)
    yield running
    running.stop()


@pytest.fixture
def project(tmp_path, server):
    return Project.make(tmp_path / "project", server.base_url)
