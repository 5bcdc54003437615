"""Fine-tuning jobs over the OpenAI API: start once, follow through anything, know the result as a candidate.

``order.py`` says what shall be tuned, ``jobs.py`` talks to the server, ``follow.py`` waits for a job, ``sequence.py`` puts
jobs one after the other, ``candidate.py`` and ``configured.py`` remember what came of them, ``plot.py`` draws losses.
"""
