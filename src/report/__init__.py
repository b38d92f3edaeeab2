"""Draws what a bench, a convert or a comparison found. Measures nothing."""
