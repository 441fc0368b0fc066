"""Airflow hooks: a connection made into an account at a service."""
