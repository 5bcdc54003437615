"""The demo's models, which are not language models: a rule book as teacher, and a student that learns by retrieval."""
