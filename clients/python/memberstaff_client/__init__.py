"""A client of memberstaff: log in, read a day, mark people, and follow every change as it happens.

`memberstaff_client.sync` has the same names for programs without an event loop.
"""

from memberstaff_client.attendance import Attendance
from memberstaff_client.day import Day
from memberstaff_client.errors import (
    AttendanceError,
    LoginRefused,
    RateLimited,
    RequestRefused,
    SessionEnded,
    Unavailable,
    VersionConflict,
)
from memberstaff_client.records import KEEP, Board, Record
from memberstaff_client.session import Storage, TokenFile

__all__ = [
    "KEEP",
    "Attendance",
    "AttendanceError",
    "Board",
    "Day",
    "LoginRefused",
    "RateLimited",
    "Record",
    "RequestRefused",
    "SessionEnded",
    "Storage",
    "TokenFile",
    "Unavailable",
    "VersionConflict",
]
