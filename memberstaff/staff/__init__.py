"""The people whose attendance is recorded."""
