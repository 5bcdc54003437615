"""Evaluations: every case on every role, graded, compared and decided.

The package's name is a plural because ``distilltest.evaluation`` is the decorator.
"""
