"""The bound of bench.session: a whole process that does the same work without distilltest.

``python -m bench.session_bound live URL CASES ROLES STORE`` sends the requests over aiohttp and writes what our store keeps of
each call (request, response, time of arrival) durably into SQLite. Responses that have arrived meanwhile share a commit.
``read STORE`` reads them back.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import queue
import sqlite3
import sys
import threading
import time

AT_ONCE = 100


def write(path: str, rows: queue.SimpleQueue[tuple[object, ...] | None]) -> None:
    """Commit rows as they arrive, until None arrives."""
    sql = sqlite3.connect(path, isolation_level=None)
    sql.execute("PRAGMA journal_mode = WAL")
    sql.execute("PRAGMA synchronous = FULL")
    sql.execute(
        "CREATE TABLE completion (id INTEGER PRIMARY KEY, key BLOB UNIQUE, created REAL, request BLOB, response BLOB)"
    )
    ended = False
    while not ended:
        batch = [rows.get()]
        while not rows.empty():
            batch.append(rows.get())
        ended = batch[-1] is None
        sql.execute("BEGIN")
        sql.executemany(
            "INSERT INTO completion (key, created, request, response) VALUES (?, ?, ?, ?)",
            [row for row in batch if row],
        )
        sql.execute("COMMIT")
    sql.close()


async def live(url: str, cases: int, roles: int, path: str) -> None:
    """Send all requests, and store the responses."""
    import aiohttp

    rows: queue.SimpleQueue[tuple[object, ...] | None] = queue.SimpleQueue()
    writer = threading.Thread(target=write, args=(path, rows))
    writer.start()
    waiting = [
        json.dumps({"model": f"m{role}", "messages": [{"role": "user", "content": f"number {case}"}]}).encode()
        for case in range(cases)
        for role in range(roles)
    ][::-1]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:

        async def work() -> None:
            while waiting:
                body = waiting.pop()
                async with session.post(f"{url}/chat/completions", data=body) as response:
                    rows.put((hashlib.sha256(body).digest(), time.time(), body, await response.read()))

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    rows.put(None)
    writer.join()


def read(path: str) -> None:
    """Read all answers."""
    sql = sqlite3.connect(path)
    texts = [
        json.loads(response)["choices"][0]["message"]["content"]
        for (response,) in sql.execute("SELECT response FROM completion ORDER BY id")
    ]
    assert texts


if __name__ == "__main__":
    if sys.argv[1] == "live":
        asyncio.run(live(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))
    else:
        read(sys.argv[2])
