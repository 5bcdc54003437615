"""The command line: ``distilltest COMMAND``."""

from distilltest.cli.main import main

__all__ = ["main"]
