"""Fine-tuning jobs over the OpenAI API: start each once, follow it through outages, make the result the candidate.

``order.py`` describes a job, ``jobs.py`` talks to the server, ``follow.py`` waits for a job, ``sequence.py`` runs several jobs
in order, ``candidate.py`` and ``configured.py`` record the tuned model, ``plot.py`` draws losses.
"""
