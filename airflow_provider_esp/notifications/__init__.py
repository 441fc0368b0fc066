"""Notifiers: what Airflow calls when a task or a run ends, or a deadline is missed."""
