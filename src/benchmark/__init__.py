"""Measures protocols and numbers of workers: `brinery.benchmark(...)` is `runner.benchmark`."""
