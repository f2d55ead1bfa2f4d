"""Attendance: days, records, and the log of their changes."""
