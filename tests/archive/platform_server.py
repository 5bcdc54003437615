"""A platform over real HTTP: evals, runs, output items, stored completions, jobs, files and models, in pages.

Each object is a text that the server sends as it stands, so that a test can compare what was saved byte for byte.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from http_server import Handler, HttpServer

KEY = "sk-test-1234567890"


@dataclass
class Reply:
    """An answer other than what the platform has."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    """Close the connection without an answer."""


def error(status: int, message: str, **headers: str) -> Reply:
    content = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
    return Reply(status, json.dumps(content).encode(), headers)


class Platform(HttpServer):
    """Its content, what was asked of it, and a script that may answer instead."""

    def __init__(self) -> None:
        self.lists: dict[str, Sequence[bytes]] = {}
        """Path below /v1 → objects, the oldest first."""
        self.newest_first = {"fine_tuning/jobs", "events", "checkpoints"}
        self.objects: dict[str, bytes] = {}
        """Path below /v1 → object or content."""
        self.script: Callable[[str, dict[str, str]], Reply | None] = lambda _path, _query: None
        """Called with path and query; may block."""
        self.asked: list[str] = []
        """Path and query of each request, in order."""
        self.answered: Counter[str] = Counter()
        """Of those that were answered with what the platform has."""
        self.times: list[float] = []
        self.keys: set[str | None] = set()
        self._lock = threading.Lock()
        owner = self

        class Pages(Handler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                path = parts.path.removeprefix("/v1/")
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                with owner._lock:
                    owner.asked.append(self.path.removeprefix("/v1/"))
                    owner.times.append(time.monotonic())
                    owner.keys.add(self.headers.get("Authorization"))
                reply = owner.script(path, query)
                if reply is None and self.headers.get("Authorization") != f"Bearer {KEY}":
                    reply = error(401, f"Incorrect API key provided: {self.headers.get('Authorization', '')[7:]}.")
                if reply is None:
                    found = owner.find(path, query)
                    reply = error(404, f"There is no {path}.") if found is None else Reply(body=found)
                    if found is not None:
                        with owner._lock:
                            owner.answered[self.path.removeprefix("/v1/")] += 1
                if reply.drop:
                    self.close_connection = True
                    return
                self.say(reply.status, reply.body, reply.headers)

        super().__init__(Pages)

    def find(self, path: str, query: dict[str, str]) -> bytes | None:
        if path in self.objects:
            return self.objects[path]
        if path not in self.lists:
            return None
        if path == "models":
            return b'{"object": "list", "data": [' + b", ".join(self.lists[path]) + b"]}"
        objects = self.lists[path]
        if isinstance(objects, Endless):
            return objects.page(query)
        if path in self.newest_first or path.rpartition("/")[2] in self.newest_first:
            objects = objects[::-1]
        start = 0
        if "after" in query:
            start = next((n + 1 for n, each in enumerate(objects) if json.loads(each)["id"] == query["after"]), -1)
            if start < 0:
                return None
        return page(objects[start:], int(query.get("limit", 20)))


def page(objects: Sequence[bytes], limit: int) -> bytes:
    """A page as the platform prints it, over many lines."""
    some = objects[:limit]
    ids = [json.loads(each)["id"] for each in (some[:1] + some[-1:])]
    first, last = (json.dumps(ids[0]), json.dumps(ids[-1])) if some else ("null", "null")
    more = json.dumps(len(objects) > limit)
    return (
        b'{\n  "object": "list",\n  "data": [\n    '
        + b",\n    ".join(some)
        + f'\n  ],\n  "first_id": {first},\n  "last_id": {last},\n  "has_more": {more}\n}}\n'.encode()
    )


def text(value: Any) -> bytes:
    """An object in a notation that no program of ours would choose."""
    return json.dumps(value, indent=3, ensure_ascii=True).replace("0.5", "5.0e-1").replace("/", r"\/").encode()


def eval_object(number: int, identifier: str | None = None) -> dict[str, Any]:
    return {
        "object": "eval",
        "id": identifier or f"eval_{number:04x}",
        "data_source_config": {
            "type": "custom",
            "schema": {"type": "object", "properties": {"item": {"type": "object"}, "sample": {"type": "object"}}},
        },
        "testing_criteria": [
            {
                "name": "String check",
                "id": "String check-2eaf2d8d-d649-4335-8148-9535a7ca73c2",
                "type": "string_check",
                "input": "{{ item.réponse }}",
                "reference": "{{ sample.output_text }}",
                "operation": "eq",
            },
            {
                "name": "Similarity",
                "id": "Similarity-9b876f24",
                "type": "text_similarity",
                "input": "{{ sample.output_text }}",
                "reference": "{{ item.answer }}",
                "evaluation_metric": "fuzzy_match",
                "pass_threshold": 0.5,
            },
        ],
        "name": "tickets ☂ pmpt_abcdef0123456789",
        "created_at": 1739314509 + number,
        "metadata": {"a field that no type declares": "must survive"},
        "shared_with_openai": False,
    }


def run_object(eval_id: str, number: int, file: str | None = None) -> dict[str, Any]:
    source: dict[str, Any] = {"type": "file_id", "id": file}
    if file is None:
        source = {"type": "file_content", "content": [{"item": {"question": "1+1", "answer": "2"}}]}
    return {
        "object": "eval.run",
        "id": f"evalrun_{number:04x}",
        "eval_id": eval_id,
        "report_url": "https://platform.openai.com/evaluations/eval/run",
        "status": "completed",
        "model": "gpt-4o-mini",
        "name": "a run",
        "created_at": 1743092069 + number,
        "result_counts": {"total": 2, "errored": 0, "failed": 1, "passed": 1},
        "per_model_usage": [
            {
                "model_name": "gpt-4o-mini",
                "invocation_count": 2,
                "prompt_tokens": 10,
                "completion_tokens": 2,
                "total_tokens": 12,
                "cached_tokens": 0,
            }
        ],
        "per_testing_criteria_results": [{"testing_criteria": "String check", "passed": 1, "failed": 1}],
        "data_source": {
            "type": "completions",
            "source": source,
            "input_messages": {"type": "template", "template": [{"role": "user", "content": "{{ item.question }}"}]},
            "model": "gpt-4o-mini",
            "sampling_params": {"temperature": 0.5, "seed": 42},
        },
        "error": {"code": "", "message": ""},
        "metadata": {},
    }


def output_item(eval_id: str, run_id: str, number: int, filler: str = "") -> dict[str, Any]:
    return {
        "object": "eval.run.output_item",
        "id": f"outputitem_{number:06x}",
        "created_at": 1743092076,
        "run_id": run_id,
        "eval_id": eval_id,
        "status": "pass",
        "datasource_item_id": number,
        "datasource_item": {"question": f"{number}+1\nline\tseparator \u2028", "answer": str(number + 1), "n": 0.5},
        "results": [
            {"name": "String check", "type": "string-check-grader", "passed": True, "score": 1.0, "sample": None}
        ],
        "sample": {
            "input": [{"role": "user", "content": f"{number}+1" + filler}],
            "output": [{"role": "assistant", "content": str(number + 1)}],
            "finish_reason": "stop",
            "model": "gpt-4o-mini-2024-07-18",
            "usage": {"total_tokens": 6, "completion_tokens": 1, "prompt_tokens": 5, "cached_tokens": 0},
            "error": {"code": "", "message": ""},
            "temperature": 0.5,
            "max_completion_tokens": 2048,
            "top_p": 1.0,
            "seed": 42,
        },
    }


def completion_object(number: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": "fine", "refusal": None, "annotations": []}
    return {
        "object": "chat.completion",
        "id": f"chatcmpl-{number:04d}Ab",
        "model": "gpt-4o-2024-08-06",
        "created": 1738960610 + number,
        "request_id": "req_ded8ab984ec4bf840f37566c1011c417",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"total_tokens": 31, "completion_tokens": 18, "prompt_tokens": 13},
        "metadata": {"task": "git"},
        "temperature": 1.0,
    }


def message_object(completion: str, number: int) -> dict[str, Any]:
    return {
        "id": f"{completion}-{number}",
        "role": "user",
        "content": "how are you?",
        "name": None,
        "content_parts": None,
    }


def job_object(number: int, status: str = "succeeded", **files: Any) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job",
        "id": f"ftjob-{number:04d}Ab",
        "model": "gpt-4o-mini-2024-07-18",
        "created_at": 1721764800 + number,
        "finished_at": 1721764900,
        "fine_tuned_model": "ft:gpt-4o-mini-2024-07-18:acme:git:AF7QSF0m",
        "organization_id": "org-123",
        "result_files": [],
        "status": status,
        "validation_file": None,
        "training_file": "file-Gone",
        "hyperparameters": {"n_epochs": 3, "batch_size": "auto", "learning_rate_multiplier": 0.5},
        "trained_tokens": 5768,
        "seed": 683058546,
        "error": None,
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
        **files,
    }


def event_object(number: int) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job.event",
        "id": f"ftevent-{number:04d}",
        "created_at": 1721764800 + number,
        "level": "info",
        "message": f"Step {number}",
        "data": {"train_loss": 0.5},
        "type": "metrics",
    }


def checkpoint_object(job: str, number: int) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": f"ftckpt_{number:04d}",
        "created_at": 1721764867,
        "fine_tuned_model_checkpoint": "ft:gpt-4o-mini-2024-07-18:acme:git:96olL566:ckpt-step-2000",
        "metrics": {"full_valid_loss": 0.134, "full_valid_mean_token_accuracy": 0.874},
        "fine_tuning_job_id": job,
        "step_number": 2000,
    }


def file_object(identifier: str, size: int) -> dict[str, Any]:
    return {
        "object": "file",
        "id": identifier,
        "bytes": size,
        "created_at": 1613779121,
        "expires_at": None,
        "filename": "../../train.jsonl",
        "purpose": "fine-tune",
        "status": "processed",
    }


def fill(
    platform: Platform, *, evals: int = 2, runs: int = 2, items: int = 3, completions: int = 3, jobs: int = 2
) -> None:
    """Give a platform something of everything, and files that jobs and runs name."""
    models = [
        {"id": "gpt-4o-mini", "object": "model", "created": 1, "owned_by": "system", "shutdown_date": "2027-01-14"},
        {"id": "gpt-6", "object": "model", "created": 2, "owned_by": "system", "shutdown_date": None},
    ]
    platform.lists["models"] = list(map(text, models))
    every_eval = [eval_object(number) for number in range(evals)]
    platform.lists["evals"] = list(map(text, every_eval))
    for number, each in enumerate(every_eval):
        path = f"evals/{each['id']}/runs"
        every_run = [run_object(each["id"], 16 * number + n, "file-Rows" if n == 0 else None) for n in range(runs)]
        platform.lists[path] = list(map(text, every_run))
        for run in every_run:
            platform.lists[f"{path}/{run['id']}/output_items"] = [
                text(output_item(each["id"], run["id"], n)) for n in range(items)
            ]
    stored = [completion_object(number) for number in range(completions)]
    platform.lists["chat/completions"] = list(map(text, stored))
    for each in stored:
        platform.lists[f"chat/completions/{each['id']}/messages"] = [
            text(message_object(each["id"], n)) for n in range(2)
        ]
    every_job = [job_object(n, training_file="file-Train", result_files=["file-Result"]) for n in range(jobs)]
    platform.lists["fine_tuning/jobs"] = list(map(text, every_job))
    for each in every_job:
        path = f"fine_tuning/jobs/{each['id']}"
        platform.lists[f"{path}/events"] = [text(event_object(n)) for n in range(3)]
        platform.lists[f"{path}/checkpoints"] = [text(checkpoint_object(each["id"], n)) for n in range(2)]
    for name, content in {
        "file-Train": b'{"messages": []}\n',
        "file-Result": b"c3RlcCx0cmFpbg==\x00\xff",
        "file-Rows": b'{"item": {"question": "1+1"}}\r\n',
    }.items():
        platform.objects[f"files/{name}"] = text(file_object(name, len(content)))
        platform.objects[f"files/{name}/content"] = content


def address(identifier: str) -> str:
    return quote(identifier, safe="")


class Endless(Sequence[bytes]):
    """Output items that are made when they are asked for."""

    def __init__(self, count: int, filler: str) -> None:
        self._count, self._filler = count, filler

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError

    def page(self, query: dict[str, str]) -> bytes:
        start = int(query["after"].removeprefix("outputitem_"), 16) + 1 if "after" in query else 0
        limit = int(query["limit"])
        some = list(self._made(start, min(start + limit + 1, self._count)))
        return page(some, limit)

    def _made(self, start: int, end: int) -> Iterator[bytes]:
        for number in range(start, end):
            yield text(output_item("eval_0000", "evalrun_0000", number, self._filler))
