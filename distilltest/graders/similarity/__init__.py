"""Measures of how similar two texts are, each with the numbers of the library that people compare with.

They are written here because the libraries are heavy (nltk) or want data that must be downloaded first (WordNet, for
METEOR). ``tests/graders/reference_values.json`` holds what the libraries give for 50 pairs, with their versions.
"""
