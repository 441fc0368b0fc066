"""SendPulse's API as values: one module per group of the vendor's own documentation."""
