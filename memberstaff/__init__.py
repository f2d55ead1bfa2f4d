"""memberstaff records staff attendance and shows it live."""

__version__ = "0.1.0"
