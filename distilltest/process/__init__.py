"""What belongs to the whole process: signals, child processes, the garbage collector, the files it has read."""
