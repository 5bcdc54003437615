"""A platform to archive, and the ways to do it."""

import pytest
from archive.platform_server import KEY, Platform, fill

from distilltest.exchange.archive.run import ArchivedServer, archive


@pytest.fixture
def platform(monkeypatch):
    """A platform with something of everything; its key is in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Platform() as platform:
        fill(platform)
        yield platform


@pytest.fixture
def save(platform, tmp_path):
    """Archives the platform in this process, without long pauses; returns the manifest."""

    def save(output=tmp_path / "archive", *, key=KEY, concurrency=4, **options):
        source = ArchivedServer(platform.base_url, platform.base_url, key, "Check the key in OPENAI_API_KEY.")
        return archive(source, output, concurrency=concurrency, first_wait=0.002, **options)[0]

    return save
