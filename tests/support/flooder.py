"""Clients at full speed, in a process of their own.

    python -m tests.support.flooder ENDPOINT CLIENTS NODES SECONDS WINDOW

Each has WINDOW messages in flight. Raw frames, so that who asks is not the limit. Nobody honours a busy answer; after
the flood one client does, and notes whether it is let in then. With a window of 1 nobody asks for the same once more,
as clients do who wait for their answers. Says at the end, as JSON, what the answers were: "ok", or the error's code
with the bound that a busy one names, how many messages got no last reply, and what else it saw.
"""

import json
import random
import sys
import time
from collections import Counter
from typing import Any

import zmq

from castiron.transport.frames import FINAL, HEADER
from tests.support.raw_peer import packed, taken_apart

BURST = 100
"""Messages at once of each of the clients that come back as told, to be refused; a peer's limit is 128."""
BURSTING = 5
"""Such clients."""
ROUNDS = 5
"""Times that it does so."""
SILENCE_MS = 30_000


class Flood:
    """All clients of the process."""

    def __init__(self, endpoint: str, clients: int, nodes: int, window: int) -> None:
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._rng = random.Random(1)
        self._nodes = nodes
        self._window = window
        self._sent = 0
        self._poller = zmq.Poller()
        self.answers: Counter[str] = Counter()
        self.silent = 0
        """Busy answers that did not say when to come again."""
        self.returned: dict[str, list[bool]] = {}
        """Bound → whether who came back as told was let in."""
        self.sockets = [self._context.socket(zmq.DEALER) for _ in range(clients)]
        for socket in self.sockets:
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(endpoint)
            self._poller.register(socket, zmq.POLLIN)

    def run(self, lasts_s: float) -> int:
        """Ask for so long, hear everything, and return how many messages had no last reply."""
        ends_at = time.monotonic() + lasts_s
        in_flight = 0
        for socket in self.sockets:
            for _ in range(self._window):
                self._ask(socket)
                in_flight += 1
        while in_flight:
            ready = self._poller.poll(SILENCE_MS)
            if not ready:
                break
            for socket, _ in ready:
                reply = taken_apart(socket.recv_multipart())
                if reply.kind != FINAL:
                    continue
                self._note(reply.body)
                in_flight -= 1
                if time.monotonic() < ends_at:
                    self._ask(socket)
                    in_flight += 1
        return in_flight

    def come_again(self) -> None:
        """Be refused, wait for as long as told, and ask once more; a few times, with nobody else there."""
        asking = [socket for socket in self.sockets[:BURSTING] for _ in range(BURST)]
        for _ in range(ROUNDS):
            refused: dict[str, float] = {}
            for socket in asking:
                self._ask(socket)
            for socket in asking:
                error = self._heard(socket)
                if error is not None and "what" in error["details"]:
                    refused.setdefault(error["details"]["what"], error["retry_after_s"])
            for what, wait_s in refused.items():
                socket = self.sockets[0]
                socket.poll(int(wait_s * 1000) + 1)  # nothing comes
                self._ask(socket)
                error = self._heard(socket)
                self.returned.setdefault(what, []).append(error is None or error["details"].get("what") != what)

    def _heard(self, socket: "zmq.Socket[bytes]") -> dict[str, Any] | None:
        """Return the error of the next last reply; None: it was none."""
        while socket.poll(SILENCE_MS):
            reply = taken_apart(socket.recv_multipart())
            if reply.kind == FINAL:
                error: dict[str, Any] | None = reply.body.get("error")
                return error
        raise TimeoutError("no answer")

    def close(self) -> None:
        for socket in self.sockets:
            socket.close()
        self._context.term()

    def _ask(self, socket: "zmq.Socket[bytes]") -> None:
        self._sent += 1
        node = f"n{self._rng.randrange(self._nodes)}"
        if self._rng.random() < 0.3:
            body: dict[str, object] = {"verb": "node.show", "node": node}
        else:
            target = self._rng.choice(("power on", "power off", "rebooting"))
            body = {"verb": "node.power.set", "node": node, "target": target, "policy": "after"}
            body["again"] = self._window > 1
        socket.send_multipart([HEADER, b"%d" % self._sent, packed(body)])

    def _note(self, body: dict[str, Any]) -> None:
        error: dict[str, Any] | None = body.get("error")
        if error is None:
            self.answers["ok"] += 1
            return
        what = error["details"].get("what")
        if what is not None and not error.get("retry_after_s"):
            self.silent += 1
        self.answers[str(error["code"]) if what is None else f"{error['code']} {what}"] += 1


if __name__ == "__main__":
    flood = Flood(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[5]))
    told: dict[str, Any] = {"answers": flood.answers, "lost": flood.run(float(sys.argv[4])), "silent": flood.silent}
    if int(sys.argv[5]) > 1:
        flood.come_again()
    flood.close()
    sys.stdout.write(json.dumps({**told, "returned": flood.returned}))
