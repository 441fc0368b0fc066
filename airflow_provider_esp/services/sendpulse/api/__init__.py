"""SendPulse's API as calls, one module for each part of the vendor's documentation."""
