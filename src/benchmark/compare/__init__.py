"""Two results, cell by cell, and two versions of brinery measured in turns."""
