"""Keys, and what they seal: no secret reaches the disk in the clear.

A key file holds one key, or two while a rotation is under way. AES-256-GCM seals text for one row; the row's identity
is associated data, so a sealed text that is moved to another row does not open. Each row has its own key, derived from
the file's by HMAC: random 96-bit nonces are safe for 2^32 messages under one key (NIST SP 800-38D, 8.3), which a busy
fleet would reach in a year if all rows shared one. Only bytes and files live here; which values are secrets is said by
records, and re-encrypting a store is rotation's.
"""

import binascii
import os
import stat
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from hmac import digest
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from castiron.store.errors import SecretsUnreadable

_WORD: Final = "castiron-key-1"
_HEADER: Final = (
    "# Whoever has this file can read the secrets in the store that it belongs to. Keep it apart from backups.\n"
)
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_MAX_FILE_BYTES: Final = 4096
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its name. The name is public and stands in the store."""

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def make(cls, key_id: str) -> Self:
        """Return a new key, from the operating system's randomness."""
        return cls(key_id, AESGCM.generate_key(bit_length=8 * _KEY_BYTES))


class Sealer:
    """Seals text for rows with one key, and opens what was sealed. Any thread."""

    def __init__(self, key: Key) -> None:
        self.key_id: Final = key.id
        self._secret: Final = key.secret

    def seal(self, row: str, text: str) -> str:
        """Return `text` encrypted for `row`, as base64.

        Args:
            row: the row's identity, such as "nodes/<uuid>".
            text: what to hide.
        """
        nonce = os.urandom(_NONCE_BYTES)
        cipher, associated = self._of(row)
        return b64encode(nonce + cipher.encrypt(nonce, text.encode("ascii"), associated)).decode("ascii")

    def open(self, row: str, sealed: str) -> str:
        """Return the text that was sealed for `row`.

        Raises:
            SecretsUnreadable: sealed with another key, for another row, or damaged.
        """
        cipher, associated = self._of(row)
        try:
            box = b64decode(sealed, validate=True)
            return cipher.decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], associated).decode("ascii")
        except (InvalidTag, ValueError):
            raise SecretsUnreadable(
                f"the secrets of {row} do not open with key {self.key_id}: they were damaged, or belong to another row"
            ) from None

    def _of(self, row: str) -> tuple[AESGCM, bytes]:
        associated = f"{self.key_id}/{row}".encode()
        return AESGCM(digest(self._secret, associated, "sha256")), associated


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The file that keeps the keys, readable by its owner alone."""

    path: Path

    def exists(self) -> bool:
        """Return whether there is something at the path."""
        return os.path.lexists(self.path)

    def read(self) -> tuple[Key, ...]:
        """Return the keys, the newest first.

        Raises:
            SecretsUnreadable: missing, open to group or others, or not a key file. Never shows what is in it.
        """
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(_MAX_FILE_BYTES)
        except OSError as error:
            raise SecretsUnreadable(
                f"the key file {self.path} cannot be read ({error.strerror}): put back the one of this store"
            ) from None
        if mode & _OTHERS:
            raise SecretsUnreadable(
                f"the key file {self.path} is open to others (mode {stat.S_IMODE(mode):04o}): chmod 600 {self.path}"
            )
        return self._parsed(content)

    def create(self, key: Key) -> None:
        """Write the file with one key; it appears whole or not at all.

        Raises:
            SecretsUnreadable: it exists, or cannot be written.
        """
        try:
            draft = self._draft((key,))
            os.link(draft, self.path)
            draft.unlink()
            _sync(self.path.parent)
        except OSError as error:
            raise self._unwritable(error) from None

    def replace(self, keys: tuple[Key, ...]) -> None:
        """Put these keys in place of those in the file, all at once.

        Raises:
            SecretsUnreadable: it cannot be written; it is as it was.
        """
        try:
            self._draft(keys).replace(self.path)
            _sync(self.path.parent)
        except OSError as error:
            raise self._unwritable(error) from None

    def _parsed(self, content: bytes) -> tuple[Key, ...]:
        try:
            lines = content.decode("ascii").splitlines()
            fields = [line.split() for line in lines if line and not line.startswith("#")]
            keys = tuple(
                Key(key_id, b64decode(secret, validate=True)) for word, key_id, secret in fields if word == _WORD
            )
        except (ValueError, binascii.Error):
            keys = ()
        if not keys or any(len(key.secret) != _KEY_BYTES for key in keys):
            raise SecretsUnreadable(f"{self.path} is not a castiron key file, or is damaged: put back the right one")
        return keys

    def _draft(self, keys: tuple[Key, ...]) -> Path:
        draft = self.path.with_name(f"{self.path.name}.new")
        draft.unlink(missing_ok=True)  # left by a process that was killed here
        lines = (f"{_WORD} {key.id} {b64encode(key.secret).decode('ascii')}\n" for key in keys)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(_HEADER + "".join(lines))
            file.flush()
            os.fsync(file.fileno())
        return draft

    def _unwritable(self, error: OSError) -> SecretsUnreadable:
        return SecretsUnreadable(f"the key file {self.path} cannot be written: {error.strerror}")


def _sync(directory: Path) -> None:
    """Make a directory's entries survive a power cut."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
