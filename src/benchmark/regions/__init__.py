"""What the parent does around a timed region: prepare, start the workers together, gather their samples."""
