"""An embedded server with short jobs, and a client of it."""

import openai
import pytest

from distilltest.demo_models.embedded_server import EmbeddedServer


@pytest.fixture
def client(tmp_path):
    server = EmbeddedServer.start(tmp_path, job_seconds=0.05)
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as made:
        yield made
    server.stop()
