"""Print who is marked today, as it happens:   ADDRESS=… EMAIL=… PASSWORD=… python examples/follow.py."""

# region page
import asyncio
import os

from memberstaff_client import Attendance


async def follow(address: str, email: str, password: str) -> None:
    """Print today's board, then every change of it."""
    async with Attendance(address, email=email, password=password) as attendance:
        day = attendance.day()
        for record in (await day.board()).records:
            print(record.name, record.status, flush=True)
        async for change in day.changes():
            print(change.name, change.status, flush=True)


if __name__ == "__main__":
    asyncio.run(follow(os.environ["ADDRESS"], os.environ["EMAIL"], os.environ["PASSWORD"]))
# endregion
