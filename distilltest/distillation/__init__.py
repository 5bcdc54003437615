"""The distillation loop: collect the teacher's answers, write a training file, tune, evaluate."""
