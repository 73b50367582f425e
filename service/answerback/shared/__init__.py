"""Memory that the processes share: counters, and sequences of numbers that all workers draw from."""
