"""Completions: from the store, or from their servers, each request sent once."""
