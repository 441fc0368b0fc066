"""Exports: rows of one schema in files that are complete or absent."""
