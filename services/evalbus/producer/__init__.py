"""Takes commands, reads datasets, and hands out chunks."""
