"""Keeps the OAuth connections of this provider alive: one task, once a day, one run at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_esp.operators.tokens import RefreshTokensOperator

with DAG(
    "refresh_tokens",
    description="Refreshes the tokens of every authorised connection; a failure means that a person must look.",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 4, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": True},
    tags=["esputnik", "oauth"],
) as dag:
    RefreshTokensOperator(task_id="refresh_tokens")
