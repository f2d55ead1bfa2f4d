"""The roster: the people whose attendance is recorded."""
