"""Where Airflow keeps what must outlive a task: ledgers."""
