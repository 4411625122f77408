"""Whether an actor has stopped: as an event, for whoever waits and whoever only looks."""

import threading

import pytest

from castiron.actors.dispatch.stopped import Stopped

SOON_S = 20.0


def test_who_looks_sees_it_once_it_is_set() -> None:
    stopped = Stopped()
    assert not stopped.is_set()
    assert not stopped.wait(0.01)
    stopped.set()
    assert stopped.is_set()
    assert stopped.wait(0)
    assert isinstance(stopped, threading.Event)  # what Pykka says that it is
    assert repr(stopped) == "<Stopped: set>"


def test_all_who_wait_are_woken() -> None:
    stopped = Stopped()
    woken: list[bool] = []
    waiting = threading.Barrier(9)

    def wait() -> None:
        waiting.wait()
        woken.append(stopped.wait(SOON_S))

    threads = [threading.Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    waiting.wait()
    stopped.set()
    for thread in threads:
        thread.join(SOON_S)
    assert woken == [True] * 8


def test_it_cannot_be_taken_back() -> None:
    with pytest.raises(TypeError, match="does not begin again"):
        Stopped().clear()
