"""The admissions of this process: what is open, by whom it was opened, and when to ask again."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from weakref import ref

from memberstaff.access import Role
from memberstaff.accounts.access_log import Subject
from memberstaff.accounts.sessions import Session
from memberstaff.accounts.tokens import Claims


class Revocable(Protocol):
    """A socket or stream that can be ended; it is referenced weakly, so whoever serves it must hold it."""

    def end(self, code: int, reason: str) -> None:
        """End it soon, with a WebSocket close code and a reason for a person to read."""


@dataclass(eq=False, slots=True)
class Admission:
    """A connection that was let in with a token, or is about to be."""

    claims: Claims
    connection: ref[Revocable] | None = None
    """None while the database is asked whether to let it in."""
    role: Role | None = None
    """With which it was let in."""
    due: int | None = None
    """When the token or the session expires: the first whole second of it, Unix time."""
    overtaken: bool = False
    """Whether access has changed while the database was asked: the answer may be older."""


class Admissions:
    """Finds admissions by connection, session, account and expiry, each at the same cost however many there are."""

    def __init__(self) -> None:
        self._by_connection: dict[ref[Revocable], Admission] = {}
        self._by_subject: dict[Subject, Admission | set[Admission]] = {}
        """Most have one, and a set for it would be larger than all the rest."""
        self._pending: set[Admission] = set()
        self._due: dict[int, set[Admission]] = {}
        self._seconds: list[int] = []
        """The keys of `_due`, as a heap."""

    def __len__(self) -> int:
        return len(self._by_connection)

    def __contains__(self, admission: Admission) -> bool:
        """Whether it is in force: let in, neither replaced nor ended, and its connection still there."""
        return admission.connection is not None and self._by_connection.get(admission.connection) is admission

    @property
    def any(self) -> bool:
        """Whether there are any, pending ones included."""
        return bool(self._by_subject)

    def begin(self, claims: Claims) -> Admission:
        """A pending admission: from now on a change of its access finds it."""
        admission = Admission(claims)
        self._pending.add(admission)
        for subject in (claims.session_id, claims.account_id):
            if isinstance(known := self._by_subject.get(subject), set):
                known.add(admission)
            else:
                self._by_subject[subject] = admission if known is None else {known, admission}
        return admission

    def complete(self, admission: Admission, connection: Revocable, session: Session) -> None:
        """Let the connection in; an earlier admission of it is replaced."""
        if (earlier := self._by_connection.get(ref(connection))) is not None:
            self.remove(earlier)
        self._pending.discard(admission)
        admission.connection, admission.role = ref(connection, self._gone), session.caller.role
        self._by_connection[admission.connection] = admission
        self.schedule(admission, session.expires_at)

    def remove(self, admission: Admission) -> None:
        """Forget an admission, whether pending or in force."""
        self._pending.discard(admission)
        if admission.connection is not None and admission in self:
            del self._by_connection[admission.connection]
        for subject in (admission.claims.session_id, admission.claims.account_id):
            known = self._by_subject.get(subject)
            if isinstance(known, set):
                known.discard(admission)
                if len(known) == 1:  # the other one replaces it, as when a socket that was let in subscribes
                    self._by_subject[subject] = known.pop()
            elif known is admission:
                del self._by_subject[subject]
        self._unschedule(admission)

    def of(self, subjects: Sequence[Subject]) -> list[Admission]:
        """Those in force of these accounts and sessions; pending ones are noted as overtaken."""
        found: set[Admission] = set()
        for subject in subjects:
            if isinstance(known := self._by_subject.get(subject), set):
                found |= known
            elif known is not None:
                found.add(known)
        self._overtake(found)
        return [admission for admission in found if admission in self]

    def everyone(self) -> list[Admission]:
        """All that are in force; pending ones are noted as overtaken."""
        self._overtake(self._pending)
        return list(self._by_connection.values())

    def schedule(self, admission: Admission, session_expires_at: datetime) -> None:
        """Have it returned by `next_due` when its token or its session expires."""
        self._unschedule(admission)
        admission.due = math.ceil(min(admission.claims.expires_at, session_expires_at).timestamp())
        if admission.due not in self._due:
            self._due[admission.due] = set()
            heapq.heappush(self._seconds, admission.due)
        self._due[admission.due].add(admission)

    def next_due(self, now: datetime) -> Admission | None:
        """One whose token or session has expired by now, once; None when there are no more."""
        while self._seconds and self._seconds[0] <= now.timestamp():
            due = self._due.get(self._seconds[0])
            if due:
                admission = due.pop()
                admission.due = None
                return admission
            self._due.pop(heapq.heappop(self._seconds), None)
        return None

    def _unschedule(self, admission: Admission) -> None:
        if admission.due is not None:
            self._due[admission.due].discard(admission)
            admission.due = None

    def _gone(self, connection: ref[Revocable]) -> None:
        if (admission := self._by_connection.get(connection)) is not None:
            self.remove(admission)

    @staticmethod
    def _overtake(admissions: set[Admission]) -> None:
        for admission in admissions:
            if admission.connection is None:
                admission.overtaken = True
