"""Clients at full speed, in a process of their own: `python -m tests.support.flooder ENDPOINT CLIENTS NODES SECONDS`.

Raw frames, so that who asks is not the limit. Nobody honours a busy answer. Says at the end, as JSON, what the answers
were: "ok", or the error's code with the bound that a busy one names, and how many messages got no last reply.
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

WINDOW = 8
"""Messages in flight of each client."""
SILENCE_MS = 30_000


class Flood:
    """All clients of the process."""

    def __init__(self, endpoint: str, clients: int, nodes: int) -> None:
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._rng = random.Random(1)
        self._nodes = nodes
        self._sent = 0
        self._poller = zmq.Poller()
        self.answers: Counter[str] = Counter()
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
            for _ in range(WINDOW):
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
            body = {"verb": "node.power.set", "node": node, "target": target, "policy": "after", "again": True}
        socket.send_multipart([HEADER, b"%d" % self._sent, packed(body)])

    def _note(self, body: dict[str, Any]) -> None:
        error: dict[str, Any] | None = body.get("error")
        if error is None:
            self.answers["ok"] += 1
            return
        what = error["details"].get("what")
        self.answers[str(error["code"]) if what is None else f"{error['code']} {what}"] += 1


if __name__ == "__main__":
    flood = Flood(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    lost = flood.run(float(sys.argv[4]))
    flood.close()
    sys.stdout.write(json.dumps({"answers": flood.answers, "lost": lost}))
