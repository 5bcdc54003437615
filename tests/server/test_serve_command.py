"""`distilltest serve` explains invalid options, with and without the extra `train`."""

import subprocess
import sys

import pytest

from distilltest.cli import main

HIDING = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name in ("trl", "peft"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hide())
from distilltest.cli import main
sys.exit(main(["serve", "--trainer", "transformers", "--base-model", "anything"]))
"""


def test_without_the_extra_it_says_what_to_install():
    done = subprocess.run([sys.executable, "-c", HIDING], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "trl" in done.stderr
    assert "peft" in done.stderr
    assert "pip install 'distilltest[train]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (["--trainer", "transformers"], "--base-model"),
        (["--base-model", "x"], "--trainer transformers"),
        (["--chat-template", "plain"], "--trainer transformers"),
    ],
)
def test_options_that_do_not_belong_together_are_named(options, remedy, capsys):
    assert main(["serve", *options]) == 3
    assert remedy in capsys.readouterr().err
