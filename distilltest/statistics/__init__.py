"""Statistical tests and intervals: pure functions, one topic for each module, with their papers.

Every test is one-sided. Its p-value is the chance of data at least this favourable to the claim if the claim is false.
"""
