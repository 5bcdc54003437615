"""Completions from the store or from their servers; each request is sent once."""
