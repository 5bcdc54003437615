"""``distilltest finetune``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser(
        "finetune", help="fine-tuning jobs", description="Fine-tuning jobs on the base's server."
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the newest jobs")
    listing.set_defaults(run=run_list)
    watch = actions.add_parser("watch", help="follow a job until it ends; it can be left and followed again")
    watch.add_argument("job", metavar="JOB")
    watch.set_defaults(run=run_watch)
    cancel = actions.add_parser("cancel", help="cancel a job")
    cancel.add_argument("job", metavar="JOB")
    cancel.set_defaults(run=run_cancel)
    for action in (listing, watch, cancel):
        action.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml")


def _client(root: Path) -> tuple[Any, str]:
    from distilltest.client import openai_client
    from distilltest.config import load_config

    config = load_config(root.resolve())
    server = config.server(config.model("base").server)
    return openai_client(server, config), server.name


def run_list(arguments: argparse.Namespace) -> int:
    """Show jobs."""
    from datetime import UTC, datetime

    from tabulate import tabulate

    from distilltest.finetuning import endpoint_errors

    client, server = _client(arguments.root)
    with endpoint_errors(server):
        jobs = client.fine_tuning.jobs.list(limit=20).data
    rows = [
        [
            j.id,
            j.status,
            f"{datetime.fromtimestamp(j.created_at, UTC):%Y-%m-%d %H:%M}",
            j.model,
            j.fine_tuned_model or "-",
        ]
        for j in jobs
    ]
    print(tabulate(rows, ["job", "status", "created", "model", "tuned model"]))
    return 0


def run_watch(arguments: argparse.Namespace) -> int:
    """Follow a job."""
    from distilltest.finetuning import endpoint_errors, follow

    client, server = _client(arguments.root)
    with endpoint_errors(server):
        model = follow(client, arguments.job, lambda event: print(f"{event.status:<17} {event.message}", flush=True))
    print(f"tuned model: {model}")
    return 0


def run_cancel(arguments: argparse.Namespace) -> int:
    """Cancel a job."""
    from distilltest.finetuning import endpoint_errors

    client, server = _client(arguments.root)
    with endpoint_errors(server):
        job = client.fine_tuning.jobs.cancel(arguments.job)
    print(f"{job.id} {job.status}")
    return 0
