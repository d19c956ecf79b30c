"""Keeps scored chunks, makes results, tells what happened, and answers questions."""
