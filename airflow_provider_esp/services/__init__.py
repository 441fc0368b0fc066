"""What each vendor's API says, as data: no I/O and no Airflow below this folder."""
