"""Strawberry, FastAPI and broadcaster as usually put together: the server that memberstaff could have been."""

# mypy: disable-error-code="untyped-decorator, union-attr"

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from enum import Enum

import strawberry
from broadcaster import Broadcast
from fastapi import FastAPI
from strawberry.fastapi import GraphQLRouter

CHANNEL = "attendance_updates"
DATES = [date.fromisoformat(os.environ["BENCH_DATE"]), date.fromisoformat(os.environ["BENCH_OTHER_DATE"])]
CATEGORIES = ["TEACHING", "ADMIN", "SUPPORT", "SECURITY"]

broadcast = Broadcast(os.environ["REDIS_URL"])


@strawberry.enum
class AttendanceStatus(Enum):
    """What is known of somebody."""

    PRESENT = "PRESENT"
    ABSENT = "ABSENT"
    LATE = "LATE"
    ON_LEAVE = "ON_LEAVE"


@strawberry.type
class Staff:
    """A person."""

    id: strawberry.ID
    name: str
    category: str
    photo_url: str | None


@strawberry.type
class Attendance:
    """A person on a day."""

    id: strawberry.ID
    status: AttendanceStatus
    note: str | None
    photo_url: str | None
    date: date
    updated_at: datetime
    version: int
    staff_id: strawberry.Private[str]

    @strawberry.field
    def staff(self) -> Staff:
        """The person."""
        return STAFF[self.staff_id]


STAFF = {
    str(number): Staff(
        id=strawberry.ID(str(number)),
        name=f"Staff Member {number:03}",
        category=CATEGORIES[number % 4],
        photo_url=f"https://cdn.example.com/staff/{number:03}/photo.jpg",
    )
    for number in range(200)
}
RECORDS = {
    str(index * 200 + number): Attendance(
        id=strawberry.ID(str(index * 200 + number)),
        status=list(AttendanceStatus)[number % 4],
        note=f"note for record {number}",
        photo_url=f"https://cdn.example.com/attendance/{day}/{number:03}.jpg",
        date=day,
        updated_at=datetime.now(UTC),
        version=1,
        staff_id=str(number),
    )
    for index, day in enumerate(DATES)
    for number in range(200)
}


@strawberry.type
class Query:
    """What can be read."""

    @strawberry.field
    async def attendances(self, date: date) -> list[Attendance]:
        """A day's records."""
        return [record for record in RECORDS.values() if record.date == date]


@strawberry.type
class Mutation:
    """What can be changed."""

    @strawberry.mutation
    async def update_attendance(
        self, id: strawberry.ID, status: AttendanceStatus, note: str | None = None
    ) -> Attendance:
        """Change a record, and tell everybody."""
        before = RECORDS[id]
        after = replace(before, status=status, note=note, updated_at=datetime.now(UTC), version=before.version + 1)
        RECORDS[id] = after
        message = {
            "id": after.id,
            "status": after.status.value,
            "note": after.note,
            "photo_url": after.photo_url,
            "date": after.date.isoformat(),
            "updated_at": after.updated_at.isoformat(),
            "version": after.version,
            "staff_id": after.staff_id,
        }
        await broadcast.publish(channel=CHANNEL, message=json.dumps(message))
        return after


@strawberry.type
class Subscription:
    """What can be followed."""

    @strawberry.subscription
    async def attendance_updated(self, date: date) -> AsyncGenerator[Attendance, None]:
        """A day's changes."""
        async with broadcast.subscribe(channel=CHANNEL) as subscriber:
            async for event in subscriber:
                message = json.loads(event.message)
                if message["date"] != date.isoformat():
                    continue
                yield Attendance(
                    id=message["id"],
                    status=AttendanceStatus(message["status"]),
                    note=message["note"],
                    photo_url=message["photo_url"],
                    date=date,
                    updated_at=datetime.fromisoformat(message["updated_at"]),
                    version=message["version"],
                    staff_id=message["staff_id"],
                )


async def keep_subscribed(channel: str) -> None:
    """Keep a channel subscribed for ever.

    Not part of the usual code, which broadcaster 0.3.1 with redis-py 8.1 lets down: its reader ends when the first
    subscription is alone, and subscribers that come while the first one awaits Redis are forgotten. Two idle
    subscriptions made one after the other avoid both; without them this server would not deliver every event.
    """
    async with broadcast.subscribe(channel=channel) as subscriber:
        async for _ in subscriber:
            pass


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Connect as long as the server runs."""
    await broadcast.connect()
    keepers = []
    for channel in (CHANNEL, "another"):
        keepers.append(asyncio.create_task(keep_subscribed(channel)))
        await asyncio.sleep(0.1)
    yield
    for keeper in keepers:
        keeper.cancel()
    await broadcast.disconnect()


app = FastAPI(lifespan=lifespan)
app.include_router(GraphQLRouter(strawberry.Schema(Query, Mutation, Subscription)), prefix="/graphql")
