"""What a worker process does in a bench: read, write and time its part."""
