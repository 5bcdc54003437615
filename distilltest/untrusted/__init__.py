"""Handling of untrusted text, and of secrets that must not leave the process."""
