"""Promotions: which model is in production, which runs proved it, and a history that shows every edit.

``promotions.yaml`` is made for review and for git: one entry is appended for each promotion, none is ever changed, and each
holds a hash of itself and of the entry before it.
"""

NAME = "promotions.yaml"
