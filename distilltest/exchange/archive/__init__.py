"""Save everything that a hosted platform stores for a user: evals, completions, jobs and their files."""
