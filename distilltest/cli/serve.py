"""``distilltest serve``: serve the API by hand."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from distilltest.cli import say

_EPILOG = """\
Tune a model of your own, and evaluate the result:
  distilltest serve --trainer transformers --base-model ~/models/small --port 8000
  (in distilltest.yaml)  servers: {mine: {base_url: "http://127.0.0.1:8000/v1"}}
                         models:  {base: {server: mine, model: small}, ...}
  distilltest distill    uploads, tunes and evaluates over that server
"""


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "serve",
        help="serve the API: the embedded models, or a language model of your own that jobs can tune",
        description=(
            "Serve the OpenAI API on 127.0.0.1 only: chat completions, stored completions, files, fine-tuning jobs. By "
            "default its models are a rule book and a retrieval learner, not language models. With --trainer transformers "
            "it serves a Hugging Face causal language model and its jobs tune that model (LoRA, supervised and DPO); this "
            "needs pip install 'distilltest[train]'. GET /distilltest/stats counts the answers."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--port", type=int, default=8000, help="the port (default: 8000; 0 chooses a free one)")
    command.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="the folder for files, jobs and tuned models (default: .distilltest/embedded, or .distilltest/trainer)",
    )
    command.add_argument(
        "--latency-ms", type=float, default=0.0, metavar="MS", help="delay each chat completion by this time"
    )
    trainer = command.add_argument_group("a language model of your own")
    trainer.add_argument(
        "--trainer", choices=("embedded", "transformers"), default="embedded", help="the models that answer and learn"
    )
    trainer.add_argument("--base-model", metavar="MODEL", help="a folder written by save_pretrained, or a hub id")
    trainer.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto uses cuda if available"
    )
    trainer.add_argument(
        "--chat-template",
        metavar="FILE",
        help="a Jinja file that replaces the tokenizer's template, or the word plain for a simple one",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    import threading

    from distilltest.data.whole_files import make_folder
    from distilltest.demo_models.embedded_server import EmbeddedServer
    from distilltest.errors import DistilltestError
    from distilltest.server.app import LocalServer

    latency = arguments.latency_ms / 1000
    start: Callable[[Path, int], LocalServer] = partial(EmbeddedServer.start, latency=latency)
    folder = arguments.data or Path(".distilltest/embedded")
    if arguments.trainer == "transformers":
        folder = arguments.data or Path(".distilltest/trainer")
        start = partial(LocalServer.start, latency=latency, models_of=_trainer(arguments, folder))
    else:
        _refuse_options(arguments)
    try:
        make_folder(folder)
        server = start(folder, arguments.port)
    except OSError as error:
        if error.filename is not None:
            raise DistilltestError(f"{error.filename}: {error.strerror}. Give another folder with --data.") from None
        raise DistilltestError(
            f"Port {arguments.port} cannot be used: {error.strerror}. Give another with --port."
        ) from None
    try:
        say.line(f"serving {server.base_url} (Ctrl-C stops it)")
        say.line(f"  export OPENAI_BASE_URL={server.base_url} OPENAI_API_KEY=none")
        threading.Event().wait()
    except KeyboardInterrupt:
        say.line("stopped")
    finally:
        server.stop()
    return 0


def _trainer(arguments: argparse.Namespace, folder: Path) -> Callable[[Any], Any]:
    """Load the base model, and return a function that makes the server's models from it.

    Raises:
        ConfigError: The extra is missing, or the model cannot be loaded.
    """
    import warnings

    from distilltest.errors import ConfigError
    from distilltest.trainer.extra import require_extra

    # These libraries warn about each other's deprecated calls, which a user cannot fix.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(accelerate|datasets|peft|transformers|trl)\.")
    if arguments.base_model is None:
        raise ConfigError("--trainer transformers needs a model to tune: add --base-model FOLDER, or a hub id.")
    require_extra()
    say.line(f"loading {arguments.base_model} …")
    from distilltest.trainer.loading import load_base
    from distilltest.trainer.models import TransformersModels

    base = load_base(arguments.base_model, device=arguments.device, chat_template=arguments.chat_template)
    say.line(f"  model {base.name!r} on {base.device}, {base.context} tokens of context")
    return lambda objects: TransformersModels(objects, folder, base)


def _refuse_options(arguments: argparse.Namespace) -> None:
    """Refuse options that only apply to the other trainer.

    Raises:
        ConfigError: One is given.
    """
    from distilltest.errors import ConfigError

    for name, given in (("--base-model", arguments.base_model), ("--chat-template", arguments.chat_template)):
        if given is not None:
            raise ConfigError(f"{name} applies to a language model of your own: add --trainer transformers.")
