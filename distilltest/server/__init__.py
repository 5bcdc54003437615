"""A local server that speaks the OpenAI API, for demos and tests: no key, no network, loopback only.

Its models are a rule book and a retrieval learner. They are no language models: see docs/explanation/embedded-models.md.
"""
