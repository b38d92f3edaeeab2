"""Archives and images to arrays; knows nothing of what becomes of them."""
