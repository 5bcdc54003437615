"""Measure whether more training data would help: tune a model on subsets of several sizes, and evaluate each.

``subsets.py`` draws the subsets, ``measure.py`` tunes and evaluates, ``curve.py`` is the result, and ``text.py``,
``markdown.py`` and ``svg.py`` render it.
"""
