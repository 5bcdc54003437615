"""Similarity metrics of two texts, with the same results as the usual libraries.

They are implemented here because the libraries are heavy (nltk) or need downloaded data (WordNet, for METEOR).
``tests/graders/reference_values.json`` has the libraries' results for 50 pairs, and their versions.
"""
