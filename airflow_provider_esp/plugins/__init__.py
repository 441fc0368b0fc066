"""What this provider adds to Airflow itself: the page of accounts, runs, campaigns and refused rows."""
