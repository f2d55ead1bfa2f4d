"""Seals what crosses Redis: encrypted, so that nobody else reads it, and authenticated, so that nobody else writes it.

Whoever can publish on a Redis could otherwise write on every board and read every note; publish/subscribe knows no
databases, and few installations have a Redis of their own. A message is AES-256-GCM (NIST SP 800-38D) under a key that
is derived from the secret for one purpose (HKDF, RFC 5869): the key's id (4 bytes), a random nonce (12), and the
ciphertext with its tag, in base64.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ID_BYTES, NONCE_BYTES = 4, 12


class NotSealed(Exception):
    """A message that nobody with our secret sealed for this purpose."""


class Seal:
    """Seals and opens messages of one purpose, such as a channel's name; what is sealed for another does not open."""

    def __init__(self, secret: str, purpose: str) -> None:
        info = f"memberstaff {purpose}".encode()
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
        self._id = sha256(key).digest()[:ID_BYTES]
        self._cipher = AESGCM(key)

    def seal(self, text: bytes) -> str:
        """The sealed message, in ASCII."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return b64encode(self._id + nonce + self._cipher.encrypt(nonce, text, None)).decode("ascii")

    def open(self, message: str | bytes) -> bytes:
        """What was sealed. Raises NotSealed."""
        try:
            sealed = b64decode(message, validate=True)
            nonce, ciphertext = sealed[ID_BYTES : ID_BYTES + NONCE_BYTES], sealed[ID_BYTES + NONCE_BYTES :]
            if sealed[:ID_BYTES] != self._id:
                raise NotSealed
            return self._cipher.decrypt(nonce, ciphertext, None)
        except (ValueError, InvalidTag):
            raise NotSealed from None
