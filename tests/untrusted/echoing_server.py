"""A server that echoes its credentials in every field and every encoding."""

import base64
import itertools
import json
import re
from typing import Any
from urllib.parse import quote

from http_server import Handler, HttpServer


def spellings(key: str) -> list[str]:
    """The encodings of a key."""
    return [
        key,
        quote(key, safe=""),
        quote(quote(key, safe=""), safe=""),
        base64.b64encode(key.encode()).decode(),
        base64.b64encode(f"Bearer {key}".encode()).decode(),
        json.dumps({"api_key": key}),
        "".join(f"\\u{ord(sign):04x}" for sign in key),
        "".join(f"&#{ord(sign)};" for sign in key),
    ]


class EchoingServer(HttpServer):
    """``/v1-STATUS/…`` answers with that status, ``/v1-half`` with half a JSON, ``/v1-odd`` with a chat of the wrong shape."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        """The request's credentials."""
        self._number = itertools.count()
        owner = self

        class Echoing(Handler):
            def answer(self) -> None:
                request = self.body()
                kind, _, secret = self.headers.get("Authorization", "none").partition(" ")
                key = base64.b64decode(secret).decode() if kind == "Basic" else secret
                owner.keys.add(key)
                _, version, path = self.path.partition("?")[0].split("/", 2)
                status, said = owner.said(version.removeprefix("v1-"), self.command, path, request, key)
                body = said if isinstance(said, bytes) else json.dumps(said).encode()
                if next(owner._number) % 2:  # the key in escapes, which are the same JSON
                    body = body.replace(key.encode(), "".join(f"\\u{ord(sign):04x}" for sign in key).encode())
                every = dict.fromkeys(("x-request-id", "openai-organization", "Server", "Retry-After"), key)
                self.say(status, body, every, words=key)

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

        super().__init__(Echoing)

    def said(self, version: str, method: str, path: str, request: bytes, key: str) -> tuple[int, Any]:
        """The status and the body."""
        every = " ".join(spellings(key))
        if version.isdecimal() and version != "200":
            return int(version), {"error": {"message": f"Wrong key: {every}", "type": key, "param": key, "code": key}}
        if version == "half":
            return 200, json.dumps({"id": every, "choices": every}).encode()[:-2]
        if version == "odd":
            return 200, {"id": every, "choices": [{"message": every}], "usage": every}
        if version == "text":
            return 200, f"<html>{every}</html>".encode()
        if path == "chat/completions" and method == "POST":
            return 200, self.chat(request, key)
        return 200, self.rare(path, key)

    def chat(self, request: bytes, key: str) -> Any:
        """An answer with the key in every text."""
        number = re.findall(r"number (\d+)", request.decode())
        call = {"id": key, "type": "function", "function": {"name": f"f {key}", "arguments": json.dumps({"key": key})}}
        wrong = bool(number) and int(number[-1]) % 3 == (0 if b"candidate" in request else 1)
        every = " ".join(spellings(key))
        message = {
            "role": "assistant",
            "content": every if wrong else f"answer {number[-1] if number else key}",
            "refusal": every if wrong else None,
            "tool_calls": [call] if wrong else None,
        }
        return {
            "id": f"chatcmpl-{key}",
            "object": "chat.completion",
            "created": 1,
            "model": f"m-{key}",
            "system_fingerprint": key,
            "service_tier": key,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 5, "note": key},
        }

    def rare(self, path: str, key: str) -> Any:
        """Files, jobs, events, checkpoints, stored completions and models."""
        job = {
            "id": f"ftjob-{key}",
            "object": "fine_tuning.job",
            "created_at": 1,
            "finished_at": 2,
            "model": f"m-{key}",
            "fine_tuned_model": f"ft-{key}",
            "status": "succeeded",
            "training_file": f"file-{key}",
            "organization_id": key,
            "result_files": [key],
            "metadata": {key: key},
            "error": {"message": key, "code": key, "param": key},
            "hyperparameters": {"n_epochs": 1},
            "seed": 1,
        }
        event = {"id": key, "object": "event", "created_at": 1, "level": "warn", "message": " ".join(spellings(key))}
        checkpoint = {
            "id": key,
            "object": "checkpoint",
            "created_at": 1,
            "step_number": 1,
            "metrics": {},
            "fine_tuned_model_checkpoint": f"ft-{key}:1",
            "fine_tuning_job_id": f"ftjob-{key}",
        }
        if path.endswith("/events"):
            return {"object": "list", "data": [event], "has_more": False}
        if path.endswith("/checkpoints"):
            return {"object": "list", "data": [checkpoint], "has_more": False}
        if path == "fine_tuning/jobs":
            return {"object": "list", "data": [job], "has_more": False, **job}
        if path.startswith("fine_tuning/jobs/"):
            return job
        if path == "files":
            return {"id": f"file-{key}", "object": "list", "data": [], "has_more": False, "filename": key, "bytes": 1}
        if path == "chat/completions":
            return {"object": "list", "data": [self.chat(b"number 3", key)], "has_more": False}
        if path.endswith("/messages"):
            data = [{"id": key, "role": "user", "content": f"question {' '.join(spellings(key))}"}]
            return {"object": "list", "data": data, "has_more": False}
        return {"id": f"m-{key}", "object": "model", "shutdown_date": "2026-12-01", "owned_by": key}
