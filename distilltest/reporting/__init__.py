"""Reports: one value with everything to show, rendered for the terminal, as Markdown and as JSON."""
