"""Notifications between processes, over Redis: something was committed, so ask the database."""
