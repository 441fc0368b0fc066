"""Rows out of files, lists and databases."""
