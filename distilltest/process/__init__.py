"""Process-wide concerns: signals, child processes, the garbage collector, the files read."""
