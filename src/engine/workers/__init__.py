"""Warm processes and threads, and how tasks reach them."""
