"""Tests, in folders named for what they need; tests/README.md says which is which."""
