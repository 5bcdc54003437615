"""Do we need more data? A model tuned at several sizes of the training file, each evaluated, and what that says.

``subsets.py`` draws the sizes, ``measure.py`` tunes and evaluates, ``curve.py`` is the result, ``text.py``, ``markdown.py``
and ``svg.py`` show it.
"""
