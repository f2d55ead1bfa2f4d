"""Print who is marked today, as it happens:   EMAIL=… PASSWORD=… python examples/follow.py."""

import asyncio
import os

from memberstaff_client import Attendance


# region page
async def follow(address: str, email: str, password: str) -> None:
    """Print today's board, then every change of it."""
    async with Attendance(address, email=email, password=password) as attendance:
        day = attendance.day()
        for record in (await day.board()).records:
            print(record.name, record.status, flush=True)
        async for change in day.changes():
            print(change.name, change.status, flush=True)


# endregion

if __name__ == "__main__":
    address = os.environ.get("ADDRESS", "http://127.0.0.1:8000")
    asyncio.run(follow(address, os.environ["EMAIL"], os.environ["PASSWORD"]))
