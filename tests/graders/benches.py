"""Runs bodies of evaluations in process, with a scripted judge and scripted embeddings."""

import asyncio
import inspect
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import orjson

from distilltest.config import Config, Judge
from distilltest.evaluations.grading import BoundBody, GradingCall
from distilltest.evaluations.judge_context import EvaluationJudgeContext
from distilltest.records import Case, Completion, Model


def completion(text="", **fields):
    return Completion("key", "server", "model", text, fields.pop("finish_reason", "stop"), **fields)


class Asked:
    """An engine without a server: it remembers requests and answers as a function says."""

    def __init__(self, reply):
        self.reply = reply
        self.requests = []

    async def complete(self, request):
        self.requests.append(request)
        if request.endpoint == "embeddings":
            text = request.messages[0]["content"]
            return completion(orjson.dumps([float(text.count("a")), float(text.count("b")) + 0.001]).decode())
        said = self.reply(request)
        return (
            said
            if isinstance(said, Completion)
            else completion(orjson.dumps({"reasons": "r", "verdict": said}).decode())
        )


def judge(name="judge", model="own-judge", **parameters):
    return Judge(name, Model(name, "local", "http://127.0.0.1:1", model, parameters=parameters))


def config(*judges, **fields):
    return replace(_config(judges), **fields)


def _config(judges):
    return Config(
        root=Path(),
        source=None,
        servers={},
        models={},
        judges={one.name: one for one in judges or (judge(),)},
        embeddings=Model("embeddings", "local", "http://127.0.0.1:1", "embed"),
    )


def bench(reply=lambda request: "Y", project=None, **peers):
    """A bench whose other roles answered what is given; ``bench.engine`` remembers what was asked."""
    engine = Asked(reply)
    plan = SimpleNamespace(
        vacant=frozenset(role for role, text in peers.items() if text is None),
        request=lambda case, role, trial: SimpleNamespace(endpoint="chat", messages=(), role=role),
        request_text=lambda case: str(case.item.get("question", "")),
    )
    made = EvaluationJudgeContext(project or config(), engine, SimpleNamespace(get_state=lambda place: None), plan)
    made.engine = engine
    if peers:
        engine.reply = lambda request: completion(peers[request.role]) if hasattr(request, "role") else reply(request)
    return made


def grades(body, answer="", item=None, place=None, role="candidate", **fixtures):
    """The grades of a body for one answer."""
    item = {"id": "q-1", **(item or {})}
    case = Case("q-1", item, item.get("reference"), tuple(item.get("alternatives", ())), place="cases.jsonl:1")
    given = answer if isinstance(answer, Completion) else completion(answer)
    call = GradingCall(case, given, role, 0, place)
    there = {"case": case, "completion": given, **fixtures}
    wanted = {name: there[name] for name in inspect.signature(body).parameters}
    bound = BoundBody.of(body, "test_it", wanted)

    async def settle():
        return await bound.arun(call) if bound.is_async else await bound.settle(bound.run(call))

    return asyncio.run(settle())
