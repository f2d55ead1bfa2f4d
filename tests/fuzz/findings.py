"""What was found, each written down with what reproduces it."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

RECENT = 60
"""Cases that are written down with what cannot be told of which it came."""
MOST_OF_A_KIND = 3
"""Findings of one kind that are written down; more are counted."""


@dataclass
class Findings:
    """A folder of findings; it is made when there is one."""

    folder: Path
    seed: int
    say: Callable[[str], None] = lambda _: None
    kinds: Counter[str] = field(default_factory=Counter)
    recent: deque[tuple[str, bytes]] = field(default_factory=lambda: deque(maxlen=RECENT))
    """The newest cases, by name, with what they have sent."""

    def of_case(self, words: str, name: str, sent: bytes, heard: bytes) -> None:
        """What a case's answer has shown."""
        note = self._note(words)
        if note is not None:
            note.write_text(f"{words}\n\n./dev fuzz --seed {self.seed} --case {name}\n")
            note.with_suffix(".sent").write_bytes(sent)
            note.with_suffix(".heard").write_bytes(heard)

    def of_server(self, words: str, details: str = "") -> None:
        """What the server, its log or the bystander has shown; any of the newest cases may have caused it."""
        note = self._note(words)
        if note is not None:
            names = " ".join(name for name, _ in self.recent)
            note.write_text(
                f"{words}\n\n{details}\n\nAfter these, the newest last:\n./dev fuzz --seed {self.seed} --case {names}\n"
            )
            for at, (name, sent) in enumerate(self.recent):
                note.with_name(f"{note.stem}-{at:02}-{name.replace(':', '-')}.sent").write_bytes(sent)

    def _note(self, words: str) -> Path | None:
        kind = re.sub(r"\d+", "#", words)[:80]
        self.kinds[kind] += 1
        if self.kinds[kind] > MOST_OF_A_KIND:
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.say(f"FOUND: {words[:300]}")
        return self.folder / f"{len(list(self.folder.glob('*.txt'))) + 1:03}.txt"
