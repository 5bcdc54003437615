"""Model judges: their questions, reading their answers, and grades from their verdicts.

A judge gives its reasons first, then a verdict. The texts to judge are fenced as data. If its answer cannot be read, the judge is
asked again, up to three times in all. Then the judge has failed, and there is no score.
"""

from distilltest.judges.ask import Judgement, ask
from distilltest.judges.question import Question

__all__ = ["Judgement", "Question", "ask"]
