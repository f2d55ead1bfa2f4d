"""Authentication: accounts, their passwords and tokens, and sessions, which can be ended."""
