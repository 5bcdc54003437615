"""Text that others wrote, and the secrets that must not leave the process."""
