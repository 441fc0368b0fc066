"""Access tokens: OAuth 2.0, refreshing, and where tokens are stored."""
