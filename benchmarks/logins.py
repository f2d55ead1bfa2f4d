"""Makes accounts, each logged in once, and prints an access token for each: an argument says how many.

It runs under the Python of the checkout that is measured, with that server's settings. Nobody types a password: a
thousand of them would take minutes to check.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.accounts import directory, sessions
from memberstaff.accounts.passwords import Passwords
from memberstaff.accounts.sessions import Lifetime
from memberstaff.accounts.tokens import AccessTokens, Claims
from memberstaff.db.database import Database
from memberstaff.settings import load

DAY = timedelta(days=1)
LIFETIME = Lifetime(idle=DAY, absolute=DAY)


async def main(count: int) -> None:
    """Make them in one transaction."""
    settings = load()
    tokens = AccessTokens(settings.keyring)
    hashed = await Passwords().hash("a long enough password of a front desk")
    database = Database(settings.database_url.get_secret_value(), zone=settings.zone)
    try:
        async with database.write() as work:
            work.caller = COMMAND_LINE
            expires_at = work.now.replace(microsecond=0) + DAY
            for number in range(count):
                email = f"desk-{number}@school.example"
                account = await directory.add(work, email=email, role=Role.MARKER, password_hash=hashed)
                opened = await sessions.open_session(work, account.id, verified=hashed, lifetime=lambda _: LIFETIME)
                assert opened is not None
                claims = Claims(opened.caller.session_id, account.id, expires_at)
                print(tokens.issue(claims, now=work.now))
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
