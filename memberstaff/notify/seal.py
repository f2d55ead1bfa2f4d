"""Seals what crosses Redis: encrypted, so that nobody else reads it, and authenticated, so that nobody else writes it.

Whoever can publish on a Redis could otherwise write on every board and read every note; publish/subscribe knows no
databases, and few installations have a Redis of their own. A message is AES-256-GCM (NIST SP 800-38D) under a key for
one purpose: the key's id (4 bytes), a random nonce (12), and the ciphertext with its tag, in base64.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memberstaff.keyring import ID_BYTES, Keyring

NONCE_BYTES = 12


class NotSealed(Exception):
    """A message that nobody with our secret sealed for this purpose."""


class Seal:
    """Seals and opens messages of one purpose, such as a channel's name; what is sealed for another does not open."""

    def __init__(self, keyring: Keyring, purpose: str) -> None:
        keys = keyring.keys(purpose)
        self._ciphers = {bytes.fromhex(key.id): AESGCM(key.secret) for key in keys}
        self._id = bytes.fromhex(keys.current.id)

    def seal(self, text: bytes) -> str:
        """The sealed message, in ASCII."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return b64encode(self._id + nonce + self._ciphers[self._id].encrypt(nonce, text, None)).decode("ascii")

    def open(self, message: str | bytes) -> bytes:
        """What was sealed with a valid key. Raises NotSealed."""
        try:
            sealed = b64decode(message, validate=True)
            nonce, ciphertext = sealed[ID_BYTES : ID_BYTES + NONCE_BYTES], sealed[ID_BYTES + NONCE_BYTES :]
            return self._ciphers[sealed[:ID_BYTES]].decrypt(nonce, ciphertext, None)
        except (ValueError, KeyError, InvalidTag):
            raise NotSealed from None
