"""Figures as ratios against a bound of the same run."""
