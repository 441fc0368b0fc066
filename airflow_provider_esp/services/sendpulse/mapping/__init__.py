"""Between the models that all services share and SendPulse's own."""
