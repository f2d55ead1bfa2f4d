"""Idempotency keys: a repeated request gets the first one's answer, and does nothing.

The key is claimed in the transaction that does the work, so a refused request leaves no key behind, and of
two concurrent requests the second waits for the first one's answer. Keys are kept for a day (`retention`).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import select, update

from memberstaff.db.tables import idempotency
from memberstaff.db.upsert import insert
from memberstaff.db.work import Work
from memberstaff.errors import ErrorCode, Refusal

LONGEST_KEY = 200
"""Characters."""


async def claim(work: Work, key: str, request: Any) -> Any | None:
    """Claim the key; returns the stored answer if this request was made before, else None. Raises Refusal.

    `request` is anything that msgspec can serialise; a key that was used for a different one is refused.
    """
    if not key or len(key) > LONGEST_KEY:
        message = f"An idempotency key must have 1 to {LONGEST_KEY} characters."
        raise Refusal(ErrorCode.INVALID, message, "idempotencyKey")
    digest = sha256(msgspec.json.encode(request, order="deterministic")).hexdigest()
    own_key = (idempotency.c.account_id == work.caller.account_id, idempotency.c.key == key)
    new = insert(work.dialect, idempotency).values(
        account_id=work.caller.account_id, key=key, request_hash=digest, answer={}, created_at=work.now
    )
    row = None
    while row is None:  # an old key may be deleted between the two statements
        if await work.write(new.on_conflict_do_nothing()):
            return None
        # Locked, so that COMMIT waits for a synchronous standby, for which the first one may have waited in vain.
        found = select(idempotency.c.request_hash, idempotency.c.answer).where(*own_key)
        row = await work.row(found.with_for_update())
    if row.request_hash != digest:
        message = "This idempotency key was used for a different request; use a new key."
        raise Refusal(ErrorCode.INVALID, message, "idempotencyKey")
    return row.answer


async def store_answer(work: Work, key: str, answer: Any) -> None:
    """Store the answer for repeats of the request; it is committed with the work itself."""
    await work.write(
        update(idempotency)
        .where(idempotency.c.account_id == work.caller.account_id, idempotency.c.key == key)
        .values(answer=answer)
    )
