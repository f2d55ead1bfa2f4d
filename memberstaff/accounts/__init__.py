"""Who may come in: accounts, their passwords and tokens, and the sessions that can be ended."""
