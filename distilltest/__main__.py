"""``python -m distilltest``: the same as the command ``distilltest``."""

import sys

from distilltest.cli import main

sys.exit(main())
