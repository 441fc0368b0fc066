"""The page in Airflow: its routes, who may call them, and what they read. Imported by the API server alone."""
