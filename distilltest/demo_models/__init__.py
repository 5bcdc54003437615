"""The models of the demo: a rule book that teaches and a student that learns. They are not language models."""
