"""What `castiron serve` tells systemd, or whoever else set NOTIFY_SOCKET: that it is ready, alive, reloads, stops.

The protocol is sd_notify(3)'s: lines of NAME=VALUE in a datagram to a Unix socket. The libraries for it either want
systemd's own to be compiled against, or have not been kept for years; it is a dozen lines, and they are stable. Nobody
who listens, or who listens no more, is no failure: a conductor does not stop for it.
"""

import os
import socket
import time
from collections.abc import Mapping
from typing import Final

USEC: Final = 1_000_000

FEEDS: Final = 3
"""Signs of life in the time after which systemd takes us for dead."""


class Notifier:
    """Speaks to one service manager. One thread.

    Args:
        address: of the socket; a path, or a name that begins with @. None: there is none.
        watchdog_s: after so many seconds without a sign of life it ends us; None: it wants none.
    """

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        self._address = address
        self._watchdog_s = watchdog_s

    @classmethod
    def found(cls, environment: Mapping[str, str]) -> "Notifier":
        """Return the one that the environment tells of, which may be nobody."""
        usec, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID")
        is_ours = pid in {None, "", str(os.getpid())}
        watchdog_s = int(usec) / USEC if is_ours and usec.isascii() and usec.isdigit() and int(usec) else None
        return cls(environment.get("NOTIFY_SOCKET") or None, watchdog_s)

    def pace_s(self, most_s: float) -> float:
        """Return how long there may be between two calls of `alive`: at the most `most_s`."""
        return most_s if self._watchdog_s is None else min(most_s, self._watchdog_s / FEEDS)

    def ready(self, status: str) -> None:
        """Say that it has started, or has reloaded, and what it does."""
        self._send("READY=1", f"STATUS={status}")

    def alive(self, *, is_well: bool) -> None:
        """Give a sign of life, unless something is wrong: then it is silent, so that it is ended and started anew."""
        if self._watchdog_s is not None and is_well:
            self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that it reads its settings again; `ready` ends that."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, most_s: float) -> None:
        """Say that it stops, and have it be given the time that this may take."""
        self._send("STOPPING=1", "STATUS=Stopping", f"EXTEND_TIMEOUT_USEC={int(most_s * USEC)}")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as door:
                door.connect(address)
                door.send("\n".join(lines).encode())
        except (OSError, ValueError):  # nobody there, or an address that is none
            return
