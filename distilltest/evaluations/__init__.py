"""Evaluations: ask every role every case, grade the answers, and decide.

The name is plural because ``distilltest.evaluation`` is the decorator.
"""
