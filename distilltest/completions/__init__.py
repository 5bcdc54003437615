"""Stored completions as people use them: lines of files, what comes from elsewhere, what must not be read."""
