"""What a bench found, as plain data, and the file that holds it."""
