"""The database: its tables, and the unit of work in which everything is read and written."""
