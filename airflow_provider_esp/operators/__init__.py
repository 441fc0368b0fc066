"""Operators: what a DAG author asks an email service to do."""
