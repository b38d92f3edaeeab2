"""The machine: CPUs, memory, counters, files."""
