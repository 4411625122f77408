"""Passwords that nobody chooses, drawn for BMCs.

May come in: what else steps have drawn. Must not: where it is kept.
"""

import string
from random import Random
from typing import Final

from castiron.actors.drivers.operations import SHORT_PASSWORD_BYTES

CHARACTERS: Final = string.ascii_letters + string.digits
"""What every BMC, its web page and everybody's shell take as it is."""


def draw_password(rng: Random) -> str:
    """Return a password that every BMC has room for: 16 characters of 62, which is 95 bits.

    Args:
        rng: the operating system's, wherever it is to be a secret.
    """
    return "".join(rng.choices(CHARACTERS, k=SHORT_PASSWORD_BYTES))
