"""``distilltest collect``: store a model's answers to requests."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.cli import say
from distilltest.cli.options import add_action, add_labels, add_root, positive, resumable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distilltest.completions.engine import Counts
    from distilltest.config import Config
    from distilltest.distillation.collect import Asked, Collected
    from distilltest.distillation.sampling import Sampling
    from distilltest.records import Completion, Model

_TEXT = """\
Send every request of a file to a model and keep the answers in the store. `distilltest dataset` makes training files of them.

  distilltest collect --role teacher --dataset requests.txt --metadata task=git
      one request per line, each sent as the user message
  distilltest collect --role teacher --dataset train.jsonl --prompt prompt.yaml --metadata task=git
      each row fills in the prompt: {{ item.request }} is its field "request"
  distilltest collect --dataset train.jsonl --samples 4 --temperature 0.3,1.0 --system "Be brief." --system long.txt
      16 answers to each request; the best ones, or pairs of a better and a worse one, make a training file

Requests are JSONL, JSON (a list, or {"requests": [...]}), YAML, CSV with a header, Parquet, or plain lines; datasets of
evaluations work too. Without --prompt, a row's "messages" are sent as they are. If it has none, its "request", "prompt",
"question", "instruction", "input", "query" or "text" is the user message; an "instruction" is joined with its "input".

The whole file is read and counted before anything is sent, so mistakes in it cost nothing. Each answer is durable before it
is counted: after any interruption, the same command sends only the missing requests. The budget of distilltest.yaml applies.

Exit code 11: some calls failed; the message says whether to run again.
"""


def add(commands: Any) -> None:
    """Declare the command."""
    command = add_action(
        commands, "collect", "send every request of a file to a model, and store the answers", _TEXT, run
    )
    command.add_argument("--role", default="teacher", help="the role in distilltest.yaml to ask (default: teacher)")
    command.add_argument(
        "--model", help="a model in place of the role's, on the role's server unless --server is given"
    )
    command.add_argument("--server", metavar="NAME", help="a server of distilltest.yaml; requires --model")
    command.add_argument("--dataset", type=Path, required=True, metavar="FILE", help="the requests")
    command.add_argument("--prompt", type=Path, metavar="FILE", help="the prompt (default: the request alone)")
    command.add_argument(
        "--system",
        action="append",
        default=[],
        metavar="TEXT",
        help="a system prompt, or a .txt or .md file with one, in place of the prompt's own; may be repeated to try each",
    )
    command.add_argument(
        "--samples",
        type=positive,
        default=1,
        metavar="N",
        help="answers per request and combination of settings (default: 1)",
    )
    command.add_argument(
        "--temperature", type=_temperatures, default=(), metavar="T[,T…]", help="one temperature or several to try"
    )
    command.add_argument(
        "--top-p", type=_shares, default=(), metavar="P[,P…]", help="one value of top_p or several to try"
    )
    add_labels(command, "--metadata", "label the completions")
    command.add_argument("--limit", type=positive, metavar="N", help="only the first N requests")
    command.add_argument(
        "--out", type=Path, metavar="FILE", help="also write the answers to a JSONL file, one per line"
    )
    command.add_argument("--dry-run", action="store_true", help="count the calls and send nothing")
    add_root(command)
    resumable(command)


def _temperatures(text: str) -> tuple[float, ...]:
    return _numbers(text, 2.0, "a list of temperatures from 0 to 2, separated by commas")


def _shares(text: str) -> tuple[float, ...]:
    return _numbers(text, 1.0, "a list of numbers from 0 to 1, separated by commas")


def _numbers(text: str, most: float, what: str) -> tuple[float, ...]:
    try:
        values = tuple(dict.fromkeys(float(part) for part in text.split(",")))
    except ValueError:
        values = (-1.0,)
    if not all(0 <= value <= most for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return tuple(
        int(value) if value.is_integer() else value for value in values
    )  # 0 as distilltest.yaml has it, not 0.0


def run(arguments: argparse.Namespace) -> int:
    """Count the calls, make them, and report the result."""
    from collections import Counter
    from itertools import islice

    from distilltest.cli.bar import Bar
    from distilltest.completions.engine import Engine
    from distilltest.config import load_config
    from distilltest.data.prompt import load_prompt
    from distilltest.distillation.collect import Collected, asked, collect, count
    from distilltest.distillation.sampling import Sampling
    from distilltest.errors import DistilltestError
    from distilltest.exit_codes import INCOMPLETE
    from distilltest.store import Store
    from distilltest.store.changes import MOST_LABELS
    from distilltest.store.prepare import open_for_work
    from distilltest.training_files.inputs import SeenRows, iter_inputs, unused_fields

    config = load_config(arguments.root.resolve())
    labels = dict(arguments.metadata)
    if len(labels) > MOST_LABELS:
        raise DistilltestError(f"--metadata: {len(labels)} labels, but a completion has at most {MOST_LABELS}.")
    if arguments.out is not None and arguments.out.resolve() == arguments.dataset.resolve():
        raise DistilltestError(f"--out {arguments.out}: that is the file with the requests. Name another one.")
    prompt = load_prompt(arguments.prompt) if arguments.prompt else None
    sampling = Sampling(
        arguments.samples, arguments.temperature, arguments.top_p, tuple(dict.fromkeys(map(_system, arguments.system)))
    )

    with open_for_work(config, say.line) as store:
        model = _model(arguments, config.with_tuned(store.tuned()))

    unused: Counter[str] = Counter()

    def requests(seen: SeenRows | None = None) -> Iterator[Asked]:
        for case in islice(iter_inputs(arguments.dataset, seen=seen), arguments.limit):
            if seen is not None and prompt is None:  # only in the first pass
                unused.update(unused_fields(case))
            yield from asked([case], model, prompt, labels, sampling)

    with Store.open(config.store_path) as store:
        seen = SeenRows()
        total, calls = count(store, requests(seen))
        _say_before(arguments, model, sampling, total, calls, seen.twice)
        for name, rows in unused.items():
            say.line(
                f"remark: {rows:,} rows of {arguments.dataset} have a field {name!r} that is not sent. If it belongs to the "
                f"request, give a prompt that has {{{{ item.{name} }}}}: --prompt FILE"
            )
        if arguments.dry_run:
            return 0
        config.server(model.server)
        config.check_budget([model])
        collected = Collected()
        with Engine(config, store) as engine, Bar(f"{model.role} answers", total) as bar:
            answers = collect(engine, store, requests(), collected, bar)
            _take(answers, arguments.out)
    _say_after(config, model, total // sampling.ways, collected, engine.counts, arguments.out)
    return INCOMPLETE if collected.failed else 0


def _model(arguments: argparse.Namespace, config: Config) -> Model:
    """The model to ask."""
    from distilltest.errors import ConfigError
    from distilltest.records import Model

    if arguments.server is None:
        return (config.with_model(arguments.role, arguments.model) if arguments.model else config).model(arguments.role)
    if arguments.model is None:
        raise ConfigError(f"--server {arguments.server}: which model there? Add --model MODEL.")
    if arguments.server not in config.servers:
        raise ConfigError(
            f"--server {arguments.server}: unknown server. distilltest.yaml has {', '.join(config.servers)}."
        )
    server = config.servers[arguments.server]
    return Model(arguments.model, server.name, server.base_url, arguments.model)


def _system(text: str) -> str:
    """A system prompt: the text itself, or the content of the file that it names."""
    from distilltest.data import read_bytes, text_of
    from distilltest.errors import PromptError

    if not text.lower().endswith((".txt", ".md")) or "\n" in text:
        if text.strip():
            return text
        raise PromptError("--system: the text is empty. Leave out the option to send requests without a system prompt.")
    shown = f"--system {text}"
    said = text_of(read_bytes(Path(text), shown, PromptError), shown, PromptError).strip()
    if not said:
        raise PromptError(f"--system {text}: the file is empty.")
    return said


def _say_before(
    arguments: argparse.Namespace, model: Model, sampling: Sampling, total: int, calls: int, twice: int
) -> None:
    said = f"{model.role} ({model.model}): {_many(total // sampling.ways, 'request')}{sampling.in_words()}"
    say.line(f"{said}: {_many(total, 'answer')}, {_many(calls, 'call')} to make")
    if twice:
        say.line(f"left out: {twice:,} rows of {arguments.dataset} that repeat another one")
    if sampling.never_differ(model):
        say.line("remark: at temperature 0 the samples of a request hardly differ; try --temperature 0.8")


def _take(answers: Iterator[tuple[Asked, Completion]], out: Path | None) -> None:
    """Read all answers, and write them to a file if there is one."""
    import orjson

    from distilltest.training_files.whole_file import whole_file

    if out is None:
        for _ in answers:
            pass
        return
    with whole_file(out) as lines:
        for each, answer in answers:
            lines.write(orjson.dumps(_row(each, answer)))


def _row(each: Asked, answer: Completion) -> dict[str, Any]:
    request = each.request
    row = {
        "id": each.case.id,
        "messages": list(request.messages),
        "answer": answer.text,
        "model": request.model,
        "parameters": dict(request.parameters),
        "trial": request.trial,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "key": answer.key,
    }
    if answer.refusal:
        row["refusal"] = answer.refusal
    if answer.tool_calls:
        row["tool_calls"] = answer.tool_calls
    return row


def _say_after(
    config: Config, model: Model, requests: int, collected: Collected, counts: Counts, out: Path | None
) -> None:

    parts = [f"{counts.new:,} new"]
    if counts.from_store:
        parts.append(f"{counts.from_store:,} from the store")
    if counts.shared:
        parts.append(f"{counts.shared:,} fetched by another process")
    if counts.new:
        parts.append(f"{counts.prompt_tokens:,} tokens in, {counts.completion_tokens:,} out")
        price = config.prices.get(model.model)
        if price is not None and price.input is not None and price.output is not None:
            parts.append(f"${counts.usd:,.4f}")
    say.line(f"{_many(collected.answers, 'answer')} to {_many(requests, 'request')}: {', '.join(parts)}")
    if out is not None:
        say.line(
            f"{out}: {_many(collected.answers, 'answer')}"
            + (f", {collected.failed:,} missing" if collected.failed else "")
        )
    if collected.failed:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in collected.failures.most_common())
        say.aside(f"{_many(collected.failed, 'call')} failed: {kinds}")
        for sentence in collected.sentences.values():
            say.aside(f"  {sentence}")
        from distilltest.errors import asking_again

        say.aside(asking_again(collected.failures))


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
