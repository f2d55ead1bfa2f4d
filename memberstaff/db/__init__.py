"""The database: its tables, and the unit of work through which everything is read and written."""
