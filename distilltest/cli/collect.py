"""``distilltest collect``: a model's answers to requests, into the store."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.cli import say
from distilltest.cli.resuming import resumable
from distilltest.cli.selection import label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distilltest.completions.engine import Counts
    from distilltest.config import Config
    from distilltest.distillation.collect import Asked, Collected
    from distilltest.distillation.sampling import Sampling
    from distilltest.records import Completion, Model

_TEXT = """\
Ask a model for every request of a file and keep the answers in the store, from where `distilltest dataset` writes training
files.

  distilltest collect --role teacher --dataset requests.txt --metadata task=git
      one request a line, each sent as the user message
  distilltest collect --role teacher --dataset train.jsonl --prompt prompt.yaml --metadata task=git
      each row goes into the prompt: {{ item.request }} is its field "request"
  distilltest collect --dataset train.jsonl --samples 4 --temperature 0.3,1.0 --system "Be brief." --system long.txt
      16 answers to each request, of which the best, or pairs of a better and a worse one, make a training file

Requests are read from JSONL, JSON (a list, or {"requests": [...]}), YAML, CSV with a header, Parquet, and plain lines; evaluation
datasets are fine. Without --prompt a row's "messages" are sent as they are, or else its "request", "prompt", "question",
"instruction", "input", "query" or "text" as the user message; an "instruction" together with its "input".

Everything is read and counted before anything is sent, so mistakes in the file cost nothing. Each answer is durable before
it is counted: whatever stops the command, the same command goes on from there and asks only for what is missing. The
budget of distilltest.yaml holds. Exit code 11: some calls failed; the message says whether to run again.
"""


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "collect",
        help="ask a model for every request of a file, into the store",
        description=_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--role", default="teacher", help="whom to ask: a role of distilltest.yaml (default: teacher)")
    command.add_argument("--model", help="another model than the role's, on the role's server unless --server is given")
    command.add_argument("--server", metavar="NAME", help="a server of distilltest.yaml; goes with --model")
    command.add_argument("--dataset", type=Path, required=True, metavar="FILE", help="the requests")
    command.add_argument("--prompt", type=Path, metavar="FILE", help="what to ask (default: the request alone)")
    command.add_argument(
        "--system",
        action="append",
        default=[],
        metavar="TEXT",
        help="a system prompt, or a .txt or .md file with one, instead of the prompt's; each of several is asked",
    )
    command.add_argument(
        "--samples",
        type=_count,
        default=1,
        metavar="N",
        help="answers to each request, in each combination (default 1)",
    )
    command.add_argument(
        "--temperature", type=_temperatures, default=(), metavar="T[,T…]", help="each of these is asked"
    )
    command.add_argument("--top-p", type=_shares, default=(), metavar="P[,P…]", help="each of these is asked")
    command.add_argument(
        "--metadata", type=label, action="append", default=[], metavar="KEY=VALUE", help="keep with this label"
    )
    command.add_argument("--limit", type=_count, metavar="N", help="only the first N requests")
    command.add_argument("--out", type=Path, metavar="FILE", help="write the answers to a JSONL file too, one a line")
    command.add_argument("--dry-run", action="store_true", help="say how many calls it is, and send nothing")
    command.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml")
    resumable(command)
    command.set_defaults(run=run)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _temperatures(text: str) -> tuple[float, ...]:
    return _numbers(text, 2.0, "temperatures from 0 to 2, with commas between")


def _shares(text: str) -> tuple[float, ...]:
    return _numbers(text, 1.0, "numbers from 0 to 1, with commas between")


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
    """Count, ask, say what came of it."""
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
            if seen is not None and prompt is None:  # the first time they are read
                unused.update(unused_fields(case))
            yield from asked([case], model, prompt, labels, sampling)

    with Store.open(config.store_path) as store:
        seen = SeenRows()
        total, calls = count(store, requests(seen))
        _say_before(arguments, model, sampling, total, calls, seen.twice)
        for name, rows in unused.items():
            say.line(
                f"remark: {rows:,} rows of {arguments.dataset} have a field {name!r} that is not sent. If it belongs to the "
                f"request, name a prompt that has {{{{ item.{name} }}}}: --prompt FILE"
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
    """Whom to ask."""
    from distilltest.errors import ConfigError
    from distilltest.records import Model

    if arguments.server is None:
        return (config.with_model(arguments.role, arguments.model) if arguments.model else config).model(arguments.role)
    if arguments.model is None:
        raise ConfigError(f"--server {arguments.server}: which model there? Add --model MODEL.")
    if arguments.server not in config.servers:
        raise ConfigError(
            f"--server {arguments.server}: there is none of that name (there are {', '.join(config.servers)})."
        )
    server = config.servers[arguments.server]
    return Model(arguments.model, server.name, server.base_url, arguments.model)


def _system(text: str) -> str:
    """A system prompt: the text itself, or what is in the file that it names."""
    from distilltest.data import read_bytes, text_of
    from distilltest.errors import PromptError

    if not text.lower().endswith((".txt", ".md")) or "\n" in text:
        if text.strip():
            return text
        raise PromptError("--system: the text is empty. Leave the option out for requests as they are.")
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
        say.line(f"left out: {twice:,} rows of {arguments.dataset} that say the same as another one")
    if sampling.never_differ(model):
        say.line("remark: at temperature 0 the samples of a request hardly differ; give --temperature 0.8, say")


def _take(answers: Iterator[tuple[Asked, Completion]], out: Path | None) -> None:
    """Read all answers, and write them where they shall go."""
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
        parts.append(f"{counts.shared:,} that another process fetched")
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
