"""``distilltest serve``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "serve",
        help="run the embedded server by hand",
        description=(
            "Serve OpenAI's API on 127.0.0.1 (and nowhere else): chat completions, stored completions, files, fine-tuning "
            "jobs, embeddings. Its models are a rule book and a retrieval learner, no language models. GET "
            "/distilltest/stats counts what it answered."
        ),
    )
    command.add_argument("--port", type=int, default=8000, help="the port (default 8000; 0 takes a free one)")
    command.add_argument(
        "--data", type=Path, default=Path(".distilltest/embedded"), metavar="DIR", help="where it keeps its data"
    )
    command.add_argument(
        "--latency-ms", type=float, default=0.0, metavar="MS", help="time that each chat completion takes"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    import threading

    from distilltest.embedded.server import EmbeddedServer
    from distilltest.errors import DistilltestError

    try:
        server = EmbeddedServer.start(arguments.data, arguments.port, latency=arguments.latency_ms / 1000)
    except OSError as error:
        raise DistilltestError(
            f"Port {arguments.port} cannot be used: {error.strerror}. Give another with --port."
        ) from None
    print(f"serving {server.base_url} (Ctrl-C stops it)", flush=True)
    print(f"  export OPENAI_BASE_URL={server.base_url} OPENAI_API_KEY=none", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print("stopped")
    finally:
        server.stop()
    return 0
