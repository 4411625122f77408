"""Clients that ask at a set rate, of a conductor that runs: what they are told is counted by what it is."""

from pathlib import Path

from bench.pacing import OK, Paced, code_of
from castiron.actors.settings import Settings
from castiron.testing import running_conductor
from castiron.transport.codec import encode_reply, encode_verb
from castiron.transport.errors import NodeNotFound
from castiron.transport.replies import Pong
from castiron.transport.verbs import NodePowerSet, NodeShow
from castiron.transport.vocabulary import PowerTarget, ReplyWish


def test_answers_are_counted_by_their_codes_and_none_is_lost(tmp_path: Path) -> None:
    bodies = tuple(encode_verb(NodeShow(node=name)) for name in ("n1", "nobody"))
    with running_conductor(store=tmp_path / "castiron.db") as conductor, conductor.client() as client:
        client.nodes.create("n1", driver="fake")
        told = Paced(client.endpoint, bodies, clients=4, per_s=100.0, seconds=0.4).run()

    assert told.answers == {OK: 20, "node.not_found": 20}
    assert (told.lost, told.busy, told.others) == (0, 0, 20)
    assert 0 < told.p50_us <= told.p99_us <= told.max_us


def test_of_a_request_its_last_answer_counts(tmp_path: Path) -> None:
    body = encode_verb(NodePowerSet(node="n1", target=PowerTarget.ON, replies=ReplyWish.BOTH))
    with running_conductor(store=tmp_path / "castiron.db") as conductor, conductor.client() as client:
        client.nodes.create("n1", driver="fake")
        told = Paced(client.endpoint, (body,), clients=1, per_s=10.0, seconds=0.3).run()

    assert (told.answers, told.lost) == ({OK: 3}, 0)


def test_who_meets_a_bound_is_told_busy(tmp_path: Path) -> None:
    settings = Settings(read_rate_per_s=1.0, read_rate_burst=10)
    body = encode_verb(NodeShow(node="n1"))
    with running_conductor(store=tmp_path / "castiron.db", settings=settings) as conductor:
        told = Paced(conductor.endpoint, (body,), clients=2, per_s=200.0, seconds=0.2).run()

    assert told.busy > 0
    assert told.answers.total() == 40


def test_a_result_is_told_from_an_error() -> None:
    assert code_of(encode_reply(Pong(boot_id="error"), 1)) == OK
    assert code_of(encode_reply(NodeNotFound("There is none."), 1)) == "node.not_found"
