"""Mark somebody today:   EMAIL=… PASSWORD=… python examples/mark.py NAME STATUS."""

import os
import sys

from memberstaff_client.sync import Attendance


# region page
def mark(address: str, email: str, password: str, name: str, status: str) -> str:
    """Mark whoever has this name on today's board, without an event loop."""
    with Attendance(address, email=email, password=password) as attendance:
        board = attendance.day().board()
        [person] = [record for record in board.records if record.name == name]
        record = attendance.mark(person.staff_id, board.date, status, expected_version=person.version)
        return f"{record.name} {record.status}, version {record.version}"


# endregion

if __name__ == "__main__":
    address = os.environ.get("ADDRESS", "http://127.0.0.1:8000")
    print(mark(address, os.environ["EMAIL"], os.environ["PASSWORD"], *sys.argv[1:]))
