"""Between the models that all services share and eSputnik's own."""
