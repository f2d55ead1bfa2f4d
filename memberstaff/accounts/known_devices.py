"""Known devices: browsers in which an account has logged in before, whose attempts are counted by themselves.

A device keeps a cookie, which is no credential: it opens nothing, and says only that somebody who had the account's
password was here. So whoever guesses from elsewhere, or from the same address, does not use up its attempts.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256

from memberstaff.keyring import Keyring

ID_BYTES = 12
MAC_BYTES = 16
MOST_ACCOUNTS = 8
"""Accounts that a device is known to: the latest ones."""
LONGEST = 600
"""Characters of a cookie; ours have 400 at most."""


class KnownDevices:
    """Reads and writes the cookies: `DEVICE.MAC`, and then `.ACCOUNT.MAC` for each account, the latest first.

    An account's MAC covers the hash of its password: with another password all devices are strangers, or whoever had
    the old one and many cookies could guess at the new one as often as all these devices together.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keys = keyring.keys("known devices")

    def device(self, cookie: str | None) -> str | None:
        """The id of a device in which somebody has logged in before, whoever it was."""
        return self._read(cookie)[0]

    def known(self, cookie: str | None, account_id: int, password_hash: str | None) -> str | None:
        """The id of the device, if the account has logged in there with its present password."""
        device, macs = self._read(cookie)
        mac = macs.get(str(account_id))
        if device is None or mac is None or password_hash is None:
            return None
        return device if self._made(mac, _of_account(device, account_id, password_hash)) else None

    def remember(self, cookie: str | None, account_id: int, password_hash: str) -> str:
        """The cookie of a device in which this account has just logged in."""
        device, macs = self._read(cookie)
        if device is None:
            device, macs = secrets.token_urlsafe(ID_BYTES), {}
        mac = self._mac(self._keys.current.secret, _of_account(device, account_id, password_hash))
        kept = {str(account_id): mac, **{other: macs[other] for other in macs if other != str(account_id)}}
        parts = [device, self._mac(self._keys.current.secret, device)]
        for account, its_mac in list(kept.items())[:MOST_ACCOUNTS]:
            parts += [account, its_mac]
        return ".".join(parts)

    def _read(self, cookie: str | None) -> tuple[str | None, dict[str, str]]:
        """The device and the MACs of its accounts, which are not verified yet; nothing of a cookie that is not ours."""
        if cookie is None or len(cookie) > LONGEST or not cookie.isascii():
            return None, {}
        device, *rest = cookie.split(".")
        if len(rest) % 2 == 0 or not self._made(rest[0], device):
            return None, {}
        return device, dict(zip(rest[1::2], rest[2::2], strict=True))

    def _made(self, mac: str, text: str) -> bool:
        return any(hmac.compare_digest(mac, self._mac(key.secret, text)) for key in self._keys)

    @staticmethod
    def _mac(key: bytes, text: str) -> str:
        return urlsafe_b64encode(hmac.digest(key, text.encode(), sha256)[:MAC_BYTES]).rstrip(b"=").decode()


def _of_account(device: str, account_id: int, password_hash: str) -> str:
    return f"{device}.{account_id}.{password_hash}"
