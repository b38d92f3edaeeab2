"""The page of a bench result."""
