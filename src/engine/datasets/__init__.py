"""Read datasets back: as a sequence, verified, restored to images."""
