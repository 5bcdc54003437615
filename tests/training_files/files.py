"""Small training files for tests."""

import json

from distilltest.training_files.preferences import preference_findings
from distilltest.training_files.supervised import supervised_findings


def example(request="show me the status", answer="git status", **more):
    messages = [{"role": "user", "content": request}, {"role": "assistant", "content": answer}]
    return {"messages": messages, **more}


def pair(request="show me the status", wanted="git status", unwanted="git log", **more):
    return {
        "input": {"messages": [{"role": "user", "content": request}]},
        "preferred_output": [{"role": "assistant", "content": wanted}],
        "non_preferred_output": [{"role": "assistant", "content": unwanted}],
        **more,
    }


def write(path, rows):
    """Write rows: JSON values, or bytes that are written as they are."""
    path.write_bytes(b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows) + b"\n")
    return path


def sixty(make=example):
    """Enough good rows to avoid a finding about their number."""
    return [make(f"request number {number}") for number in range(60)]


def check_supervised(path):
    return list(supervised_findings(path))


def check_preferences(path):
    return list(preference_findings(path))
