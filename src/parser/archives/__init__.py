"""Folders, tars and zips: what they hold, and where the bytes of each member are."""
