"""Broadcasts: created at most once, awaited, cancelled, counted."""
