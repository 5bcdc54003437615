"""Measures the time from the first request to the last answer: the engine, bare aiohttp and bare AsyncOpenAI."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tabulate import tabulate

CASES, ROLES, LATENCY, AT_ONCE = 1000, 3, 0.05, 100
CALLS = CASES * ROLES


def start(latency: float) -> tuple[subprocess.Popen[str], str]:
    """Start the server; return its process and address."""
    process = subprocess.Popen([sys.executable, "-m", "bench.server", str(latency)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"


async def bare_aiohttp(url: str) -> None:
    """Send all requests with aiohttp alone."""
    import aiohttp

    slots = asyncio.Semaphore(AT_ONCE)
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def call(number: int) -> None:
            async with slots, session.post(f"{url}/chat/completions", data=b'{"n": %d}' % number) as response:
                await response.read()

        await asyncio.gather(*(call(number) for number in range(CALLS)))


async def bare_openai(url: str) -> None:
    """Send all requests with the official client."""
    from openai import AsyncOpenAI

    slots = asyncio.Semaphore(AT_ONCE)
    async with AsyncOpenAI(base_url=url, api_key="none") as client:

        async def call(number: int) -> None:
            async with slots:
                await client.chat.completions.create(model="m", messages=[{"role": "user", "content": str(number)}])

        await asyncio.gather(*(call(number) for number in range(CALLS)))


def prepare(url: str, folder: Path) -> Callable[[], float]:
    """Set up our engine with its store; return a function that measures the seconds from first request to last answer."""
    from distilltest.completions.engine import Engine
    from distilltest.config import load_config
    from distilltest.records import Request
    from distilltest.store import Store

    roles = "".join(f"  r{i}: {{server: s, model: m{i}}}\n" for i in range(ROLES))
    (folder / "distilltest.yaml").write_text(
        f"servers:\n  s: {{base_url: '{url}', max_concurrency: {AT_ONCE}}}\nmodels:\n{roles}"
    )
    config = load_config(folder)
    requests = [
        Request(m.server, m.base_url, m.model, ({"role": "user", "content": str(number)},))
        for number in range(CASES)
        for m in config.models.values()
    ]

    def fetch() -> float:
        with Store.open(config.store_path) as store, Engine(config, store) as running:
            started = time.perf_counter()
            answers = sum(1 for _ in running.results(requests))
            elapsed = time.perf_counter() - started
            assert answers == CALLS
            print(f"requests sent: {running.counts.sent}, from the store: {running.counts.from_store}")
            return elapsed

    return fetch


def main() -> None:
    """Measure and print."""
    import aiohttp
    import openai

    assert aiohttp.__version__
    assert openai.__version__  # import before measuring
    bound = CALLS * LATENCY / AT_ONCE
    rows = []

    def measure(name: str, run: Callable[[], float | None], calls: int = CALLS) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        elapsed = run()
        wall, cpu = elapsed or time.perf_counter() - wall, time.process_time() - cpu
        rows.append(
            [name, f"{wall:.2f} s", f"{wall / bound:.2f}", f"{1e6 * cpu / calls:.0f} us", f"{calls / wall:.0f}"]
        )

    fast, fast_url = start(0)
    measure("the server's ceiling (no latency, bare aiohttp)", lambda: asyncio.run(bare_aiohttp(fast_url)))
    fast.terminate()
    process, url = start(LATENCY)
    with tempfile.TemporaryDirectory() as folder:
        measure("bare aiohttp", lambda: asyncio.run(bare_aiohttp(url)))
        measure("distilltest: engine and store", prepare(url, Path(folder)))
        measure("distilltest again, from the store", prepare(url, Path(folder)))
        measure("bare AsyncOpenAI", lambda: asyncio.run(bare_openai(url)))
    process.terminate()
    print(f"{CALLS} calls of {LATENCY * 1000:.0f} ms, {AT_ONCE} at once; the bound is {bound:.2f} s")
    print(
        tabulate(
            rows,
            ["what", "first to last", "ratio to the bound", "processor a call", "calls a second"],
            disable_numparse=True,
        )
    )


if __name__ == "__main__":
    main()
