"""Notifications between processes, over Redis: something was committed, ask the database."""
