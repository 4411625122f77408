"""The names of Pykka that the dispatched actor leans on. A new Pykka that moves one of them fails here first."""

import inspect
import threading
from importlib.metadata import version
from typing import Any

import pytest
from pykka import Actor, ActorRegistry, Future, ThreadingFuture
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

HOOKS = ("_create_actor_inbox", "_create_future", "_start_actor_loop")
LOOP = ("_actor_loop_setup", "_actor_loop_running", "_actor_loop_teardown")


class Unwound(BaseException):
    pass


class UnwindingInbox:
    def __init__(self) -> None:
        self.messages: list[object] = []

    def put(self, envelope: Envelope[Any], /) -> None:
        self.messages.append(envelope.message)

    def get(self) -> Envelope[Any]:
        raise Unwound

    def empty(self) -> bool:
        return True


class LoopedByHand(Actor):
    @staticmethod
    def _create_actor_inbox() -> UnwindingInbox:
        return UnwindingInbox()

    @staticmethod
    def _create_future() -> Future[Any]:
        return ThreadingFuture()

    def _start_actor_loop(self) -> None:
        pass


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_the_version_is_one_that_was_read() -> None:
    major, minor = (int(part) for part in version("pykka").split(".")[:2])

    assert major == 4
    assert minor >= 5


def test_the_hooks_for_new_kinds_of_actors_are_abstract_and_the_only_ones() -> None:
    assert Actor.__abstractmethods__ == set(HOOKS)


def test_hooks_that_make_things_take_no_actor() -> None:
    assert isinstance(inspect.getattr_static(Actor, "_create_actor_inbox"), staticmethod)
    assert isinstance(inspect.getattr_static(Actor, "_create_future"), staticmethod)


@pytest.mark.parametrize("name", LOOP)
def test_the_loop_has_its_three_parts(name: str) -> None:
    assert parameters(getattr(Actor, name)) == ["self"]


def test_the_loop_is_these_three_parts_in_this_order() -> None:
    assert Actor._actor_loop.__code__.co_names == LOOP


def test_what_get_raises_unwinds_the_loop_and_stops_nobody() -> None:
    bystander, looped = LoopedByHand.start(), LoopedByHand()

    with pytest.raises(Unwound):
        looped._actor_loop_running()

    assert not looped.actor_stopped.is_set()
    assert bystander.is_alive()
    ActorRegistry.unregister(bystander)


def test_the_loop_ends_once_the_actor_is_stopped() -> None:
    looped = LoopedByHand()
    looped.actor_stopped.set()

    looped._actor_loop_running()


def test_messages_pass_through_one_method_and_failures_through_another() -> None:
    assert parameters(Actor._handle_receive) == ["self", "message"]
    assert parameters(Actor._handle_failure) == ["self", "exception_type", "exception_value", "traceback"]
    assert parameters(Actor.on_failure) == ["self", "exception_type", "exception_value", "traceback"]


def test_a_failure_stops_the_actor_takes_it_from_the_registry_and_does_not_raise() -> None:
    actor = LoopedByHand()
    ActorRegistry.register(actor.actor_ref)

    actor._handle_failure(None, None, None)

    assert isinstance(actor.actor_stopped, threading.Event)
    assert actor.actor_stopped.is_set()
    assert actor.actor_ref not in ActorRegistry.get_all()


def test_an_envelope_has_a_message_and_a_future_to_reply_to() -> None:
    assert Envelope.__slots__ == ["message", "reply_to"]
    assert parameters(Envelope) == ["message", "reply_to"]


def test_a_stop_is_a_message_of_its_own_class() -> None:
    actor = LoopedByHand()

    actor.actor_ref.stop(block=False)
    actor.stop()

    assert isinstance(actor.actor_inbox, UnwindingInbox)
    assert [type(message) for message in actor.actor_inbox.messages] == [_ActorStop, _ActorStop]


def test_a_future_that_was_answered_shows_its_result() -> None:
    future: ThreadingFuture[int] = ThreadingFuture()
    assert future._result is None

    future.set(1)

    assert future._result is not None


def test_a_ref_shares_the_inbox_and_the_stopped_flag() -> None:
    actor = LoopedByHand()

    assert actor.actor_ref.actor_inbox is actor.actor_inbox
    assert actor.actor_ref.actor_stopped is actor.actor_stopped
