"""Key pairs for CURVE, and the files that hold them: ZeroMQ's certificates, written and read by pyzmq's own zmq.auth.

A pair is two files: NAME.key with the public key, to be handed out, and NAME.key_secret with both, mode 0600. What is
added here is what zmq.auth does not look at: modes, sizes, whether the text is a key at all, and that nothing that
exists is overwritten. A secret key is never shown.
"""

import os
import stat
import struct
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import zmq
from zmq.auth import create_certificates, load_certificate  # pyright: ignore[reportUnknownVariableType] - a bare PathLike
from zmq.utils import z85

from castiron.transport.errors import KeyUnusable

SECRET_SUFFIX: Final = ".key_secret"  # noqa: S105 - the end of a file name
PUBLIC_SUFFIX: Final = ".key"
"""Of a pair's files, as zmq.auth names them."""

SECRET_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700

KEY_CHARACTERS: Final = 40
"""Of a key as text: Z85 (RFC 32) of its 32 bytes."""

MAX_FILE_BYTES: Final = 4096
"""Of a certificate: ten times what zmq.auth writes; leaves room for metadata."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Both halves, as Z85 text."""

    public: str
    secret: bytes = field(repr=False)


class Made(NamedTuple):
    """A new pair on disk."""

    public: str
    public_path: Path
    secret_path: Path


def is_public_key(text: str) -> bool:
    """Return whether a text has the form of a key: 40 characters of Z85."""
    try:
        return len(text) == KEY_CHARACTERS and len(z85.decode(text.encode("ascii"))) == KEY_CHARACTERS * 4 // 5
    except (ValueError, KeyError, struct.error):
        return False


def make_pair(folder: Path, name: str) -> Made:
    """Make a pair in a folder, which is made if it is missing. Both files appear whole; neither replaces another.

    Raises:
        KeyUnusable: one of them exists, or cannot be written.
    """
    made = Made("", folder / f"{name}{PUBLIC_SUFFIX}", folder / f"{name}{SECRET_SUFFIX}")
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        # zmq.auth writes with the mode of the umask: in a folder that nobody else can enter, until it has been set.
        with tempfile.TemporaryDirectory(prefix=".castiron-", dir=folder) as draft, ExitStack() as undo:
            drafts = [Path(path) for path in create_certificates(draft, name)]
            while public_key_in(drafts[0]).startswith("-"):  # it would pass for an option on a command line
                create_certificates(draft, name)
            drafts[1].chmod(SECRET_MODE)
            for path, place in zip(drafts, (made.public_path, made.secret_path), strict=True):
                _sync(path)
                os.link(path, place)
                undo.callback(place.unlink)
            undo.pop_all()
        _sync(folder)
    except FileExistsError as failure:
        there = failure.filename2 or failure.filename
        raise _unusable(Path(there), "exists already, and is not overwritten. Choose another name.") from None
    except OSError as failure:
        raise _unusable(made.secret_path, f"cannot be written: {failure.strerror}.") from None
    return made._replace(public=public_key_in(made.public_path))


def public_key_in(path: Path) -> str:
    """Return the public key in a certificate, of either kind.

    Raises:
        KeyUnusable: it cannot be read, or holds none.
    """
    return _loaded(path)[0]


def read_pair(path: Path) -> KeyPair:
    """Return the pair in a secret certificate.

    Raises:
        KeyUnusable: it cannot be read, is open to others, holds no secret key, or one of another public key.
    """
    mode = _status(path).st_mode
    public, secret = _loaded(path)
    if secret is None:  # and so it may be open: to say so would send people to close the wrong file
        raise _unusable(path, f"holds no secret key. Name the file that ends in {SECRET_SUFFIX}.")
    if mode & _OTHERS:
        raise _unusable(path, f"is open to others (mode {stat.S_IMODE(mode):04o}). Run: chmod 600 {path}")
    if not _belong_together(public, secret):
        raise _unusable(path, "holds a secret key that is damaged, or not the one of its public key. Make a new pair.")
    return KeyPair(public, secret)


def _belong_together(public: str, secret: bytes) -> bool:
    try:
        return is_public_key(secret.decode("ascii")) and zmq.curve_public(secret) == public.encode("ascii")
    except (UnicodeDecodeError, zmq.ZMQError):
        return False


def _loaded(path: Path) -> tuple[str, bytes | None]:
    status = _status(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
        raise _unusable(path, "is not a key file.")
    try:
        public, secret = load_certificate(path)
        text = public.decode("ascii")
    except OSError as failure:
        raise _unusable(path, f"cannot be read: {failure.strerror}.") from None
    except ValueError:  # no public key, or one that is not text
        text, secret = "", None
    if not is_public_key(text):
        raise _unusable(path, "is not a key file. `castiron keys new` makes one.")
    return text, secret


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or str(failure)
        raise _unusable(path, f"cannot be read: {reason}. `castiron keys new` makes one.") from None


def _sync(path: Path) -> None:
    """Make a file, or a folder's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(path: Path, what: str) -> KeyUnusable:
    return KeyUnusable(f"The key file {path} {what}", details={"path": str(path)})
