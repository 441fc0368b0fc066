"""Sending only what changed: what a sync remembers, what it compares, and what it then does."""
