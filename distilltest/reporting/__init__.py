"""Reports: one display-ready value, rendered to the terminal, to Markdown and to JSON."""
