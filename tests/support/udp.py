"""One datagram there and one back, over a real socket on loopback, and silence that is proved, not waited for."""

import socket
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from tests.support.console import sessionless

PROBE: Final = sessionless(6, 0x38, b"\x8e\x04")
"""Get Channel Authentication Capabilities: answered by every BMC that is there."""

SOON_S: Final = 10.0
"""No answer takes a hundredth of it, unless something is broken."""


@contextmanager
def exchange_with(
    driver_info: Mapping[str, Any], patience_s: float = SOON_S
) -> Generator[Callable[[bytes], bytes | None]]:
    """Carry datagrams to the BMC of a driver_info, and bring back each answer; None: the BMC is there and says nothing.

    A probe follows each datagram, and answers come in order, so one that is overtaken by the probe's will never come.

    Args:
        patience_s: for an answer; then None as well. Short only for BMCs that are silent.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        mine.settimeout(patience_s)
        mine.connect((driver_info["ipmi_address"], driver_info["ipmi_port"]))

        def exchange(datagram: bytes) -> bytes | None:
            mine.send(datagram)
            mine.send(PROBE)
            try:
                first = mine.recv(2048)
                if _is_of_probe(first):
                    return None
                assert _is_of_probe(mine.recv(2048))
            except TimeoutError:
                return None
            return first

        yield exchange


def _is_of_probe(answer: bytes) -> bool:
    return answer[4] == 0
