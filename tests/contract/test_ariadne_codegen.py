"""What ariadne-codegen makes of the schema: a typed Python client that reads a day and marks people."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from memberstaff.access import Role
from tests.clock import TODAY
from tests.contract.environments import ROOT, Environment
from tests.installation import Installation
from tests.older_schema import OLDER
from tests.waiting import WAIT_SECONDS

SETTINGS = f"""[tool.ariadne-codegen]
schema_path = "{ROOT / "schema.graphql"}"
queries_path = "operations.graphql"
target_package_name = "attendance"
"""
OPERATIONS = """query Board($date: Date) {
  attendanceDay(date: $date) { date state records(first: 10) { edges { node { staffId staffName status } } } }
}
mutation Mark($input: UpdateAttendanceInput!) {
  updateAttendance(input: $input) { attendance { staffName status note } errors { code message } }
}
"""
PROGRAM = """
import asyncio, sys
from attendance import AttendanceStatus, AttendanceTarget, Client, StaffDateInput, UpdateAttendanceInput

async def main(address, token):
    async with Client(f"{address}/graphql", headers={"Authorization": f"Bearer {token}"}) as client:
        day = (await client.board()).attendance_day
        [amina, *_] = [edge.node for edge in day.records.edges]
        print(day.date, day.state.name, amina.staff_name, amina.status is AttendanceStatus.UNMARKED)
        target = AttendanceTarget(staff_date=StaffDateInput(staff_id=amina.staff_id, date=day.date))
        late, present, outdated = {"status": "LATE", "note": "a bus"}, {"status": "PRESENT"}, {"expected_version": 0}
        for change in (late, present, {**outdated, "note": None}):
            payload = (await client.mark(UpdateAttendanceInput(target=target, **change))).update_attendance
            print(payload.attendance, [error.code.name for error in payload.errors])

asyncio.run(main(*sys.argv[1:]))
"""
OLDER_PROGRAM = """
import asyncio, sys
from pydantic import ValidationError
from older import Client

async def main(address, token):
    async with Client(f"{address}/graphql", headers={"Authorization": f"Bearer {token}"}) as client:
        try:
            await client.board()
        except ValidationError as error:
            [failed] = error.errors()
            print(failed["loc"][-1], failed["input"])

asyncio.run(main(*sys.argv[1:]))
"""

pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("engine", ["sqlite"])]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Where ariadne-codegen is installed, with the package that it has made."""
    environment = Environment(tmp_path_factory.mktemp("ariadne"))
    environment.install("--require-hashes", "-r", ROOT / "requirements" / "ariadne.txt")
    older = SETTINGS.replace(str(ROOT / "schema.graphql"), "older.graphql").replace('"attendance"', '"older"')
    for name, text in (
        *(("pyproject.toml", SETTINGS), ("operations.graphql", OPERATIONS), ("program.py", PROGRAM)),
        *(("older.toml", older), ("older.graphql", OLDER), ("older_program.py", OLDER_PROGRAM)),
    ):
        (environment.folder / name).write_text(text, encoding="utf-8")
    for settings in ("pyproject.toml", "older.toml"):
        command = [str(environment.folder / "bin" / "ariadne-codegen"), "--config", settings]
        subprocess.run(command, cwd=environment.folder, check=True, capture_output=True)
    return environment


async def said(generated: Environment, program: str, installation: Installation) -> list[str]:
    """What a program with one of the clients prints, as the front desk."""
    words = [str(generated.python), program, installation.address.http, installation.tokens[Role.MARKER]]
    process = await asyncio.create_subprocess_exec(*words, cwd=generated.folder, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(WAIT_SECONDS):
        return (await process.communicate())[0].decode().splitlines()


async def test_a_client_that_is_older_than_a_value_of_an_enum_loses_the_whole_answer(
    generated: Environment, installation: Installation
) -> None:
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="HALF_DAY")
    assert await said(generated, "older_program.py", installation) == ["status HALF_DAY"]


async def test_its_client_reads_and_marks_and_leaves_alone_what_it_leaves_out(
    generated: Environment, installation: Installation
) -> None:
    assert await said(generated, "program.py", installation) == [
        f"{TODAY} OPEN Amina True",
        "staff_name='Amina' status=<AttendanceStatus.LATE: 'LATE'> note='a bus' []",
        "staff_name='Amina' status=<AttendanceStatus.PRESENT: 'PRESENT'> note='a bus' []",
        "None ['VERSION_CONFLICT']",
    ]
