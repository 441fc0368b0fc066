"""OAuth 2.0 with eSputnik: how a person consents, and what a connection makes of it."""
