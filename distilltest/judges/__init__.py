"""Model judges: what they are asked, how their answers are read, and what grade comes of it.

A judge is asked for its reasons first and then for a verdict. What it judges is fenced as data. An answer that cannot be
read is asked for again, a bounded number of times, and then is a judge failure: never a score.
"""

from distilltest.judges.ask import Judgement, ask
from distilltest.judges.question import Question

__all__ = ["Judgement", "Question", "ask"]
