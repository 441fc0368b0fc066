"""Apache Airflow provider for email service providers: eSputnik (Yespo) and SendPulse.

Only the version lives here: a DAG file that imports the package pays nothing for it.
"""

__version__ = "0.1.0"
