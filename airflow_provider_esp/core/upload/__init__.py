"""Uploads: batches of contacts out, responses and imports back."""
