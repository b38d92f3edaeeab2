"""Results in words: tables for the terminal and Markdown."""
