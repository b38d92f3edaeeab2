"""The page of two compared results."""
