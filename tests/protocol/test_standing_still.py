"""A conductor that stood still, and peers that did not."""

import threading
import time
from pathlib import Path

from castiron.transport import replies, verbs
from castiron.transport.doors.answers import Answer, PeerInfo
from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.session import DEFAULT_LIMITS
from tests.support.deadline import until
from tests.support.raw_peer import RawPeer

PING = {"verb": "ping"}


class Keeping:
    """A handler that answers pings, and keeps all else for later."""

    def __init__(self) -> None:
        self.kept: list[Answer] = []

    def handle(self, verb: verbs.AnyVerb, peer: PeerInfo, answer: Answer) -> None:
        del peer
        if isinstance(verb, verbs.Ping):
            return answer.final(replies.Pong(boot_id="b"), 1)
        return self.kept.append(answer)


def test_a_conductor_that_stood_still_reads_what_has_come_before_it_takes_anybody_for_gone(tmp_path: Path) -> None:
    """Or a client that has shown its life all the time would wait for an answer that nobody owes it any more."""
    keeping, stood, late_s = Keeping(), threading.Event(), [0.0]
    door = FrontDoor(f"ipc://{tmp_path}/door", keeping, now=lambda: time.monotonic() + sum(late_s))
    door.start()
    with RawPeer(door.endpoint) as peer:

        def stand_still() -> None:
            """On the front door's thread, once it has seen that no message waits."""
            assert door._listener is not None
            peer.say(b"life", PING)
            assert door._listener.socket.poll(20_000), "what was sent has come"
            late_s.append(DEFAULT_LIMITS.silence_s + 1)
            stood.set()

        peer.say(b"w", {"verb": "node.show", "node": "n1"})
        until(lambda: len(keeping.kept) == 1)
        door.probe(stand_still)
        assert stood.wait(20)

        assert peer.hear().id == b"life"
        keeping.kept[0].final(replies.Pong(boot_id="b"), 1)
        assert peer.hear().id == b"w"
    assert door.stop(5.0)
