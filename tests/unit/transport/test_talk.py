"""A client's side of the talk: what it keeps of what has come."""

from castiron.transport import codec, frames
from castiron.transport.clients.talk import Message, Talk
from castiron.transport.endpoint import parse_endpoint
from castiron.transport.replies import BulkPart
from castiron.transport.session import Question
from castiron.transport.verbs import BulkRun

POWER_ON = {"verb": "node.power.set", "target": "power on"}


def part_of(question: Question, *started: str) -> Message:
    """Return a part of a bulk's answer, as it comes."""
    envelope = frames.Envelope(delimited=False, id=question.message_id, body=b"")
    body = codec.encode_reply(BulkPart(bulk="b", started=list(started)), 1)
    return frames.build_reply(envelope, frames.PART, body)


def test_parts_are_kept_for_who_waits_and_for_nobody_else() -> None:
    talk = Talk(parse_endpoint("ipc:///run/castiron/c.ipc"), 0.0)
    question, _ = talk.question(BulkRun(nodes=["n[1-2]"], order=POWER_ON), 0.0, 10.0)
    talk.begin(question, is_sent=True)

    talk.take_in(part_of(question, "n1"), 1.0)
    assert list(question.parts) == [BulkPart(bulk="b", started=["n1"])]
    assert talk.is_awaited

    talk.end(question)
    talk.take_in(part_of(question, "n2"), 2.0)
    assert not question.parts, "nobody takes them: they would stay"
    assert not talk.is_awaited
    assert talk.waiting == [question], "to the conductor it is in flight"
