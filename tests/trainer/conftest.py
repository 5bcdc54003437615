"""A tiny model, a server and a tuned model that all tests of the trainer share, because creating them is slow."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"  # tiny models are slower with two threads

import openai
import pytest
from trainer.client_calls import run_job, supervised_lines
from trainer.tiny import make_model

from distilltest.server.app import LocalServer
from distilltest.trainer.loading import load_base
from distilltest.trainer.models import TransformersModels

DEPRECATED = (
    r"ignore:.*is deprecated and will be removed in v6:FutureWarning:transformers\.(training_args|modeling_utils)"
)
"""Warnings that the libraries cause among themselves."""


def pytest_itemcollected(item):
    item.add_marker(pytest.mark.filterwarnings(DEPRECATED))
    item.add_marker(pytest.mark.shares_a_server)


def start(base, folder):
    return LocalServer.start(folder, models_of=lambda objects: TransformersModels(objects, folder, base))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of the tiny model."""
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def base(tiny):
    return load_base(str(tiny), device="cpu")


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """The server's data folder."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def client(base, data):
    server = start(base, data)
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as made:
        yield made
    server.stop()


@pytest.fixture(scope="session")
def tuned(client):
    """A supervised job that has succeeded."""
    return run_job(
        client,
        supervised_lines(),
        validation=supervised_lines(),
        suffix="mine",
        method={
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 20, "batch_size": 4, "learning_rate_multiplier": 40}},
        },
    )
