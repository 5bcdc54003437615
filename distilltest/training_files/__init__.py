"""Training files: read, checked, searched for leaks, and written."""
