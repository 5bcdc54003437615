"""Promotions: which model is in production, which runs proved it, and a history that reveals every edit.

``promotions.yaml`` is made for review and for git: each promotion appends an entry, no entry ever changes, and each has a
hash of itself and of the previous one.
"""

NAME = "promotions.yaml"
