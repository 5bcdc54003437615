"""A stopped engine leaves nothing behind."""

import asyncio
import gc

from completions.scripted_server import Reply, ScriptedServer
from completions.test_limits_and_retries import asked, engine, fetch
from processes import until


def test_waiting_tasks_are_cancelled_and_none_is_left(tmp_path, caplog):
    with ScriptedServer(lambda _n, _b: Reply(delay=0.5)) as server:
        with engine(tmp_path, server, ", max_concurrency: 1") as running:
            first, second = asked(2, server)
            waiting = [running.submit(running.complete(first)), running.submit(running.complete(second))]
            idle = running.submit(asyncio.sleep(60))
            until(lambda: server.calls)
        assert all(each.cancelled() for each in (*waiting, idle))
        gc.collect()
    assert "destroyed" not in caplog.text


def test_the_garbage_collector_is_restored(tmp_path):
    before = gc.get_threshold()
    with ScriptedServer() as server:
        with engine(tmp_path, server) as running:
            fetch(running, asked(1, server))
            assert gc.get_threshold()[0] > before[0]
        assert gc.get_threshold() == before
        gc.set_threshold(100_000)
        try:
            with engine(tmp_path, server, share=1, fresh=True) as running:
                fetch(running, asked(1, server))
                assert gc.get_threshold()[0] == 100_000
            assert gc.get_threshold()[0] == 100_000
        finally:
            gc.set_threshold(*before)
