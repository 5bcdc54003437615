"""A copy of everything that a hosted platform keeps for its users: evals, stored completions, jobs and their files."""
