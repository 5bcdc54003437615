"""A local server that speaks the OpenAI API on the loopback address. Its models implement ``interface.ServedModels``."""
