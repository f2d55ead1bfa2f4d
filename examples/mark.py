"""Mark somebody today:   ADDRESS=… EMAIL=… PASSWORD=… python examples/mark.py NAME STATUS."""

# region page
import os
import sys

from memberstaff_client.sync import Attendance


def mark(address: str, email: str, password: str, name: str, status: str) -> str:
    """Mark whoever has this name on today's board, without an event loop."""
    with Attendance(address, email=email, password=password) as attendance:
        board = attendance.day().board()
        [person] = [record for record in board.records if record.name == name]
        record = attendance.mark(person.staff_id, board.date, status, expected_version=person.version)
        return f"{record.name} {record.status}, version {record.version}"


if __name__ == "__main__":
    print(mark(os.environ["ADDRESS"], os.environ["EMAIL"], os.environ["PASSWORD"], *sys.argv[1:]))
# endregion
