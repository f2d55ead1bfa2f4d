"""The installation's secrets, as keys: one for each purpose, with an id, so that two secrets are valid side by side.

A key is derived from a secret for one purpose (HKDF, RFC 5869), so that what was signed or sealed for one does not pass
for another. Whatever was made with a key names it. While a secret is being changed, what another one made is accepted
too; new things are made with the current one only: see docs/secrets.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class Key:
    """A key of 256 bits, and the id by which what it made names it."""

    id: str
    """Hexadecimal. The key cannot be told from it."""
    secret: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: str, purpose: str) -> Key:
        """The key of a secret for one purpose."""
        info = f"memberstaff {purpose}".encode()
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
        return cls(sha256(key).digest()[:ID_BYTES].hex(), key)


class Keys:
    """The valid keys of one purpose, the current one first."""

    def __init__(self, current: Key, *accepted: Key) -> None:
        self.current = current
        """Makes whatever is new."""
        self._by_id = {key.id: key for key in (current, *accepted)}

    def find(self, key_id: str) -> Key | None:
        """The valid key with this id."""
        return self._by_id.get(key_id)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._by_id.values())


class Keyring:
    """The current secret, and the one that is accepted beside it, if any. One for each process."""

    def __init__(self, current: str, accepted: str | None = None) -> None:
        self._secrets = (current,) if accepted is None else (current, accepted)

    def keys(self, purpose: str) -> Keys:
        """The keys for one purpose, such as "access tokens"."""
        return Keys(*(Key.derive(secret, purpose) for secret in self._secrets))
