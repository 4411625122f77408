"""The file with the secrets that calls are signed with.

A line each, as whsec_ and base64, the newest first; more than one while receivers change over. Empty lines and those
that begin with # do not count. What is in it is never shown.
"""

import os
import stat
from pathlib import Path
from typing import Final

from castiron.store.errors import SecretsUnreadable
from castiron.transport.webhooks.signature import Secret

MAX_SECRETS: Final = 4
"""A change-over takes two."""

_MAX_FILE_BYTES: Final = 4_096
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def read_secrets(path: Path) -> tuple[Secret, ...]:
    """Return the secrets in a file.

    Raises:
        SecretsUnreadable: missing, open to group or others, or not such a file. The message says what to do.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise SecretsUnreadable(f"the webhook key file {path} cannot be read ({error.strerror})") from None
    if mode & _OTHERS:
        raise SecretsUnreadable(
            f"the webhook key file {path} is open to others (mode {stat.S_IMODE(mode):04o}): chmod 600 {path}"
        )
    try:
        lines = [line.strip() for line in content.decode("ascii").splitlines()]
        secrets = tuple(Secret.read(line) for line in lines if line and not line.startswith("#"))
    except ValueError as error:
        # A text that cannot be decoded shows itself in its error.
        told = "it is not ASCII" if isinstance(error, UnicodeDecodeError) else error
        raise SecretsUnreadable(f"the webhook key file {path} is damaged: {told}") from None
    if not 1 <= len(secrets) <= MAX_SECRETS:
        raise SecretsUnreadable(
            f"the webhook key file {path} holds {len(secrets)} secrets; it takes 1 to {MAX_SECRETS}"
        )
    return secrets
