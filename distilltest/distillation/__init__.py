"""Distill a model: collect the teacher's answers, write a training file, tune, evaluate."""
