"""Encoded images to arrays, faithfully or not at all."""
