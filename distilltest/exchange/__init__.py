"""Import completions from other tools and platforms, export and redact them, and archive a platform's data."""
