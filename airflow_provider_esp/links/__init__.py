"""Extra links of operators in Airflow's UI."""
