"""Tests and intervals: pure functions, one topic a file, each with its paper.

Every test here is one-sided and answers one question: how surprising would these data be if the claim were false?
"""
