"""A store that is deleted, moved or replaced while it is open rejects writes."""

import asyncio
import shutil
import time

import pytest

from distilltest.errors import StoreError
from distilltest.records import Completion, Request
from distilltest.store import Store, state_keys


def deleted(path):
    path.unlink()


def moved(path):
    path.rename(path.with_name("elsewhere"))


def folder_deleted(path):
    shutil.rmtree(path.parent)


def replaced(path):
    path.rename(path.with_name("elsewhere"))
    Store.open(path).close()


@pytest.mark.parametrize("happens", [deleted, moved, folder_deleted, replaced], ids=lambda happens: happens.__name__)
def test_writes_raise_and_nothing_is_written_elsewhere(tmp_path, happens):
    path = tmp_path / "folder" / "store.sqlite3"
    asked = Request("s", "http://x/v1", "m", ({"role": "user", "content": "a"},))
    answer = Completion(key=asked.key, server="s", model="m", text="b", finish_reason="stop", created=time.time())

    async def save(store):
        await store.save(asked, answer, b"{}")

    with Store.open(path) as store:
        store.set_state(state_keys.CANDIDATE, 1)
        happens(path)
        with pytest.raises(StoreError, match="was deleted, moved or replaced while this run was using it"):
            asyncio.run(save(store))  # by the thread that writes
        with pytest.raises(StoreError, match="was deleted, moved or replaced"):
            store.set_state(state_keys.CANDIDATE, 1)
        with pytest.raises(StoreError, match="was deleted, moved or replaced"):
            store.finish_run("run", verdict="promote", finished=1.0)
    assert path.exists() == (happens is replaced)
