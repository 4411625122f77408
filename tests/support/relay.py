"""A UDP relay in front of a BMC: what passes it can be judged, and it can speak in the BMC's place."""

import selectors
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

Judge = Callable[[bytes], list[bytes]]
"""Takes a datagram that wants to pass; returns what passes in its place."""

STOP_S: Final = 5.0


def pass_on(datagram: bytes) -> list[bytes]:
    """Let it pass."""
    return [datagram]


class Relay:
    """Between one client and one BMC. Use `running_relay`.

    Attributes:
        address: where clients send to; what they get comes from there.
        client: where the client was last heard from.
        requests: what the client has sent.
        judge_request, judge_answer: may be replaced at any time.
    """

    def __init__(self, bmc: tuple[str, int], host: str = "127.0.0.1") -> None:
        self.judge_request: Judge = pass_on
        self.judge_answer: Judge = pass_on
        self.requests: list[bytes] = []
        self.client: tuple[str, int] | None = None
        self._heard = threading.Condition()
        self._front = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind((host, 0))
        self.address: tuple[str, int] = self._front.getsockname()[:2]
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._back.connect(bmc)
        self._stopped, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def inject(self, datagram: bytes) -> None:
        """Send to the client, from the BMC's address as the client knows it."""
        assert self.client is not None
        self._front.sendto(datagram, self.client)

    def fileno(self) -> int:
        """Return the descriptor of the socket that clients speak to."""
        return self._front.fileno()

    def wait_for_requests(self, count: int) -> list[bytes]:
        """Wait until the client has sent so many datagrams in all; return them."""
        with self._heard:
            assert self._heard.wait_for(lambda: len(self.requests) >= count, STOP_S), len(self.requests)
            return list(self.requests)

    def close(self) -> None:
        """Stop."""
        self._stop.send(b"x")
        self._thread.join(STOP_S)
        for each in (self._front, self._back, self._stop, self._stopped):
            each.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for each in (self._front, self._back, self._stopped):
                selector.register(each, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._stopped:
                        return
                    try:
                        self._carry(to_bmc=key.fileobj is self._front)
                    except OSError:
                        continue  # the BMC is being started anew

    def _carry(self, *, to_bmc: bool) -> None:
        if to_bmc:
            request, self.client = self._front.recvfrom(2048)
            with self._heard:
                self.requests.append(request)
                self._heard.notify_all()
            for datagram in self.judge_request(request):
                self._back.send(datagram)
        else:
            for datagram in self.judge_answer(self._back.recv(2048)):
                self.inject(datagram)


@contextmanager
def running_relay(bmc: tuple[str, int], host: str = "127.0.0.1") -> Generator[Relay]:
    """Run a relay for a `with`."""
    relay = Relay(bmc, host)
    try:
        yield relay
    finally:
        relay.close()
