"""The work itself, for any service: rows become contacts, recipients and events, and each row ends somewhere.

Nothing here knows Airflow or a particular service: targets, report folders and ledgers are small interfaces.
"""
