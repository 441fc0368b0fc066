"""Rows of one SELECT, streamed from a DB-API cursor."""
