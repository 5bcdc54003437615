"""All kinds of files that people write: valid examples, and how distilltest reads them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from distilltest.config import load_config
from distilltest.config.model import Server
from distilltest.data import read_json, yaml_of
from distilltest.data.dataset import load_dataset
from distilltest.data.prompt import load_prompt
from distilltest.errors import BadLines, SuiteError
from distilltest.evaluations.labels import load_labels
from distilltest.exchange.import_file import import_file
from distilltest.exchange.incoming import ImportContext
from distilltest.finetuning.configured import with_candidate
from distilltest.gate.rules import rules_from
from distilltest.graders.json_schema import _of_file, json_schema
from distilltest.graders.openai_format import (
    LabelModelGrader,
    MultiGrader,
    PythonGraderSpec,
    ScoreModelGrader,
    from_openai,
    to_openai,
)
from distilltest.graders.run_openai import run_openai
from distilltest.promotion.entry import Entry, KeptReport, PromotedModel, Proof, Who
from distilltest.promotion.history import History
from distilltest.records import Case
from distilltest.store import Store
from distilltest.training_files import costs, diversity, overlap
from distilltest.training_files.examples import is_preference_file
from distilltest.training_files.file_rules import refuse_bad
from distilltest.training_files.inputs import iter_inputs, messages_of
from distilltest.training_files.preference_file import from_table, write_preferences
from distilltest.training_files.preferences import preference_findings
from distilltest.training_files.supervised import supervised_findings
from distilltest.training_files.whole_file import LeftOut

ROWS = [
    {
        "id": "a",
        "question": "one, two",
        "reference": "1",
        "tags": ["x", "y"],
        "cluster": "d1",
        "n": 3,
        "nested": {"k": [1, 2.5]},
    },
    {"id": "b", "question": 'say "hi"', "reference": "no", "alternatives": ["zwei"], "deadline": "2026-11-21"},
    {"id": 3, "question": "größer 😀", "reference": None, "tags": "x, y"},
]
PROMPT = """\
# how the teacher is asked
messages:
  - role: system
    content: |
      You write git commands.
      One line.
  - {role: user, content: "{{ item.question }} ({{ item.nested.k[0] }}, {{item.id}})"}
"""
CONFIG = """\
servers: &servers
  openai:
    base_url: https://api.example.org/v1
    api_key: ${OPENAI_API_KEY}
    max_concurrency: 100
    requests_per_minute: 5000
    timeout: 60.5
    max_retries: 3
models:
  base: &base {server: openai, model: small, temperature: 0, stop: [a, b]}
  teacher: {<<: *base, model: large, parameters: {top_k: 3, x: {y: [1]}}}
  candidate: {server: openai, model: "ft:small:acme:git:1", prompt: prompt.yaml}
judge: {server: openai, model: large, structured: false}
gate: {alpha: 0.05, rules: [{better_than: base}, {not_worse_than: {role: teacher, margin: 0.05}}, always]}
budget: {usd: 5.00}
prices: prices.yaml
retention: {days: 30}
promotion: {require: ["suites/test_a.py"]}
distillation: {train: train.jsonl, prompt: prompt.yaml, metadata: {task: git}, keep: matching, suffix: git, train_limit: 100}
"""
PRICES = "small: {input: 0.15, cached_input: 0.075, output: 0.6, training: 3}\nlarge:\n  input: 2.5\n  output: 1.0e+1\n"
MESSAGES = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "show me the status"}]
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
TOOLS = [
    {
        "type": "function",
        "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
    }
]
SUPERVISED = [
    {"messages": [*MESSAGES, {"role": "assistant", "content": "git status"}]},
    {
        "messages": [*MESSAGES, {"role": "assistant", "tool_calls": [CALL]}],
        "tools": TOOLS,
        "parallel_tool_calls": False,
    },
    {
        "messages": [
            *MESSAGES,
            {"role": "assistant", "content": "a", "weight": 0},
            MESSAGES[1],
            {"role": "assistant", "content": "b"},
        ]
    },
    {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            {"role": "assistant", "content": "y"},
        ],
        "metadata": {},
    },
]
TEN = [{**SUPERVISED[number % 4], "metadata": {"n": str(number)}} for number in range(10)]
PREFERENCES = [
    {
        "input": {"messages": MESSAGES, "tools": [], "parallel_tool_calls": True},
        "preferred_output": [{"role": "assistant", "content": f"git status -{number}"}],
        "non_preferred_output": [{"role": "assistant", "content": "git log"}],
    }
    for number in range(10)
]
TABLE = [
    {"instruction": "status", "chosen": "git status", "rejected": "git log"},
    {"instruction": MESSAGES, "chosen": [{"role": "assistant", "content": "a"}], "rejected": "b"},
]
REQUESTS = [
    {"id": "a", "request": "show me the status", "tags": ["x"], "reference": "1"},
    "a text alone",
    {"messages": MESSAGES, "cluster": 3},
]
ANSWERED = [
    {
        "messages": MESSAGES,
        "completion": "git status",
        "model": "large",
        "metadata": {"task": "git"},
        "created": 1763740800,
    },
    {"messages": [*MESSAGES, {"role": "assistant", "content": "git log"}], "model": "large", "temperature": 0.5},
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1763740801,
        "model": "large-2026",
        "messages": MESSAGES,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": None, "tool_calls": [CALL]},
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 1}},
    },
    {
        "request": {"model": "large", "messages": MESSAGES, "temperature": 1},
        "response": {
            "choices": [{"index": 0, "message": {"content": [{"type": "text", "text": "a"}]}, "finish_reason": "stop"}]
        },
    },
]
EXPORTED = [
    {
        "request": {"model": "large", "messages": MESSAGES},
        "completion": {"key": "ab" * 32, "server": "s", "model": "large", "text": "git status", "finish_reason": "stop"}
        | {
            "usage": {"prompt_tokens": 3, "completion_tokens": 4},
            "tool_calls": [{"id": "c", "name": "f", "arguments": "{}"}],
        }
        | {"latency": 0.5, "created": 1763740800.0, "attempts": 1, "trial": 0, "refusal": None},
        "metadata": {"task": "git"},
        "response": '{"choices": []}',
    }
]
GRADERS = [
    {
        "type": "string_check",
        "name": "s",
        "input": "{{ sample.output_text }}",
        "reference": "{{ item.question }}",
        "operation": "eq",
    },
    {
        "type": "text_similarity",
        "input": "{{ sample.output_text }}",
        "reference": "a {{item.nested.k[0]}}",
        "evaluation_metric": "bleu",
    }
    | {"pass_threshold": 0.8},
    {
        "type": "score_model",
        "name": "j",
        "model": "large",
        "input": [{"role": "user", "content": "{{ sample.output_text }}"}],
    }
    | {"range": [1, 7], "pass_threshold": 5.5, "sampling_params": {"temperature": 0}},
    {
        "type": "label_model",
        "name": "l",
        "model": "large",
        "input": [{"role": "user", "content": "x"}],
        "labels": ["a", "b"],
    }
    | {"passing_labels": ["a"]},
    {
        "type": "multi",
        "name": "m",
        "graders": {
            "one": {
                "type": "string_check",
                "name": "one",
                "input": "{{ sample.output_text }}",
                "reference": "x",
                "operation": "ilike",
            },
            "two": {
                "type": "text_similarity",
                "name": "two",
                "input": "a",
                "reference": "b",
                "evaluation_metric": "fuzzy_match",
            },
        },
        "calculate_output": "0.5 * one + max(two, 0.1) / 2",
    },
]
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1, "pattern": "^[a-z]+$", "format": "email"},
        "age": {"type": ["integer", "null"], "minimum": 0, "maximum": 150, "multipleOf": 1},
        "child": {"$ref": "#/$defs/child"},
        "kind": {"enum": ["a", "b", 3], "oneOf": [{"type": "string"}, {"const": 3}]},
    },
    "$defs": {"child": {"type": "array", "items": {"$ref": "#"}, "maxItems": 3, "uniqueItems": True}},
}
ANSWERS = ('{"name": "ada", "age": 36, "child": [{"name": "b"}], "kind": 3}', '{"name": 1, "x": [[]]}', "no json")
LABELS = [
    {"id": "l1", "case": "a", "answer": "one  two", "passed": True},
    {"id": 2, "case": "b", "answer": "x", "passed": "no"},
]
CASE = Case("a", ROWS[0], place="d.jsonl:1")
SAMPLE = {"output_text": '{"a": 1}', "output_json": {"a": 1}, "choices": [{"message": {"content": "x"}}]}


def _json(value) -> bytes:
    return json.dumps(value, indent=1).encode()


def _jsonl(rows) -> bytes:
    return b"\n".join(json.dumps(row, ensure_ascii=False).encode() for row in rows) + b"\n"


def _yaml(value) -> bytes:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode()


def _csv(*rows) -> bytes:
    return "\n".join(rows).encode() + b"\n"


def _promotions() -> bytes:
    proof = Proof(
        id="suites/test_a.py::test_a",
        run="20261121-093000-1f3a",
        verdict="promote",
        sentence="promote: better than base — yes",
        dataset={"path": "cases.jsonl", "fingerprint": "0" * 64, "cases": 60},
        alpha=0.05,
        rules=(
            {
                "rule": "better than base",
                "status": "promote",
                "test": "exact",
                "estimate": 1e-05,
                "low": -0.0,
                "high": 1.0,
            }
            | {"limit": None, "p": 1.5e-12, "cases": 60, "won": 3, "lost": 0},
        ),
        roles={
            "candidate": {"model": "m", "rate": 0.5, "cases": 60, "prompt": "p.yaml", "prompt_fingerprint": "0" * 64}
        },
        judges=(),
    )
    entry = Entry(
        number=1,
        action="promote",
        when="2026-11-21T09:30:00+00:00",
        who=Who("Ada", "ada@example.org"),
        commit=None,
        model=PromotedModel("model-1", "local", {"temperature": 0, "stop": ["1e3"]}),
        evaluations=(proof,),
        costs={"candidate": {"prompt_tokens": 1, "completion_tokens": 2, "usd": 1e-07}},
        report=KeptReport("reports/promoted/1-m", "0" * 64, "0" * 64),
    )
    return b"# a comment\n" + yaml_of([entry.to_content()]).encode()


def _config(path: Path) -> None:
    root = path.parent
    (root / "prices.yaml").write_text(PRICES)
    config = load_config(root)
    rules_from(config.gate_rules)
    with_candidate(path.read_text(encoding="utf-8-sig"), "ft:new", path, "By hand")


def _prices(path: Path) -> None:
    root = path.parent
    (root / "distilltest.yaml").write_text("servers: {s: {base_url: 'http://x'}}\nprices: prices.yaml\n")
    config = load_config(root)
    tokens = costs.FileTokens(3, 100, 50, 150, "estimated")
    found = costs.estimate(
        tokens, config.prices, base="small", teacher="large", untuned_call=costs.BilledCall(10.0, 5.0)
    )
    costs.in_words(found)


def _dataset(path: Path) -> None:
    asking = path.with_name("asking.yaml")
    asking.write_text('messages: [{role: user, content: "{{ item.question }} {{ item.id }}"}]')
    prompt = load_prompt(asking, "asking.yaml")
    for case in load_dataset(path, path.name).cases:
        prompt.render(case)


def _prompt(path: Path) -> None:
    load_prompt(path, path.name).render(CASE)


def _labels(path: Path) -> None:
    cases = path.with_name("cases.jsonl")
    cases.write_bytes(_jsonl(ROWS))
    load_labels(path, path.name, load_dataset(cases, "cases.jsonl"))


def _history(path: Path) -> None:
    history = History.load(path.parent)
    history.problems()
    history.refuse_edits()


def _grader(path: Path) -> None:
    grader = from_openai(read_json(path, path.name, SuiteError).value)
    to_openai(grader)
    parts = list(grader.by_name.values()) if isinstance(grader, MultiGrader) else [grader]
    if not any(isinstance(part, PythonGraderSpec | ScoreModelGrader | LabelModelGrader) for part in parts):
        run_openai(grader, SAMPLE, CASE.item)


def _schema(path: Path) -> None:
    _of_file.cache_clear()  # it caches each path
    for answer in ANSWERS:
        json_schema(answer, path, formats=True)


def _training(path: Path) -> None:
    findings = preference_findings if is_preference_file(path) else supervised_findings
    found = list(findings(path))
    costs.count_tokens(path)
    diversity.measure(path, evaluation_tags=[("x",)], threshold=0.8)
    overlap.find_overlap(path, [("a", "show me the status")], threshold=0.8)
    refuse_bad(path, found)


def _inputs(path: Path) -> None:
    for case in iter_inputs(path, path.name):
        messages_of(case)


def _table(path: Path) -> None:
    out = path.with_name("out.jsonl")
    out.unlink(missing_ok=True)
    left_out = LeftOut()
    write_preferences(out, from_table(path, left_out), left_out)


def _import(path: Path) -> None:
    root = path.parent
    config = load_config(root)
    server = Server("s", "http://x/v1")
    with Store.open(root / "store.sqlite3") as store:
        done = import_file(path, store, ImportContext(config, server, now=1763740800.0, model="large"), skip_bad=True)
    if done.bad:
        raise BadLines("\n".join(done.complaints()))


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    name: str
    file: str
    """The file's name; its extension is the format."""
    seeds: tuple[bytes, ...]
    read: Callable[[Path], object]
    """Reads the file as distilltest does, and continues as far as possible without a server."""
    command: tuple[str, ...] = ()
    """The command line that reads the file, if there is one; FILE stands for its path."""

    @property
    def ending(self) -> str:
        """The format."""
        return self.file.rpartition(".")[2]


_COLLECT = ("collect", "--dataset", "FILE", "--dry-run", "--model", "m", "--server", "s")
_CHECK = ("dataset", "check", "FILE")
_IMPORT = ("completions", "import", "FILE", "--server", "s", "--model", "large")
KINDS = (
    Kind(
        "configuration",
        "distilltest.yaml",
        (CONFIG.encode(), b"servers: {s: {base_url: 'http://x'}}\nmodels:\n  base: {server: s, model: m}\n"),
        _config,
        ("completions", "list"),
    ),
    Kind("prices", "prices.yaml", (PRICES.encode(),), _prices, ("completions", "list")),
    Kind("dataset, JSONL", "d.jsonl", (_jsonl(ROWS),), _dataset, (*_CHECK[:2], "good.jsonl", "--against", "FILE")),
    Kind("dataset, JSON", "d.json", (_json(ROWS),), _dataset, (*_CHECK[:2], "good.jsonl", "--against", "FILE")),
    Kind("dataset, YAML", "d.yaml", (_yaml(ROWS),), _dataset, (*_CHECK[:2], "good.jsonl", "--against", "FILE")),
    Kind(
        "dataset, CSV",
        "d.csv",
        (_csv("id,question,reference,tags", '1,"one, two",,"x, y"', '2,"b\nc",yes,'),),
        _dataset,
        (*_CHECK[:2], "good.jsonl", "--against", "FILE"),
    ),
    Kind(
        "prompt",
        "p.yaml",
        (PROMPT.encode(),),
        _prompt,
        ("collect", "--dataset", "good.txt", "--prompt", "FILE", *_COLLECT[3:]),
    ),
    Kind("labels, JSONL", "l.jsonl", (_jsonl(LABELS),), _labels),
    Kind("labels, YAML", "l.yaml", (_yaml(LABELS),), _labels),
    Kind(
        "labels, CSV", "l.csv", (_csv("id,case,answer,passed", "1,a,one,true", '2,b,"x, y",', "3,a,two,no"),), _labels
    ),
    Kind("promotions", "promotions.yaml", (_promotions(),), _history, ("promotions", "list")),
    Kind("platform's grader", "g.json", tuple(map(_json, GRADERS)), _grader),
    Kind("JSON Schema, JSON", "s.json", (_json(SCHEMA),), _schema),
    Kind("JSON Schema, YAML", "s.yaml", (_yaml(SCHEMA),), _schema),
    Kind("training, supervised", "t.jsonl", (_jsonl(TEN),), _training, _CHECK),
    Kind("training, preferences", "t.jsonl", (_jsonl(PREFERENCES),), _training, _CHECK),
    Kind("requests, text", "r.txt", (b"show me the status\nundo the last commit\n",), _inputs, _COLLECT),
    Kind("requests, JSONL", "r.jsonl", (_jsonl(REQUESTS),), _inputs, _COLLECT),
    Kind("requests, JSON", "r.json", (_json({"requests": REQUESTS}), _json(REQUESTS)), _inputs, _COLLECT),
    Kind("requests, YAML", "r.yaml", (_yaml({"requests": REQUESTS}), _yaml(REQUESTS)), _inputs, _COLLECT),
    Kind("requests, CSV", "r.csv", (_csv("request,reference,tags", '"a, b",1,"x, y"', "c,,"),), _inputs, _COLLECT),
    Kind(
        "preferences, JSONL",
        "f.jsonl",
        (_jsonl(TABLE),),
        _table,
        ("dataset", "dpo", "--from", "FILE", "--output", "out.jsonl"),
    ),
    Kind("preferences, CSV", "f.csv", (_csv("instruction,chosen,rejected", "a,b,c", '"d, e",f,g'),), _table),
    Kind("import, as others write it", "i.jsonl", (_jsonl(ANSWERED),), _import, _IMPORT),
    Kind("import, as exported", "i.jsonl", (_jsonl(EXPORTED),), _import, _IMPORT),
)
