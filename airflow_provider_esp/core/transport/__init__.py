"""Carries a `Call` over the wire: retry, rate limits, tokens, errors. Nothing here knows Airflow."""
