"""Messages and events, each sent at most once."""
