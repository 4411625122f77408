"""Signals that are held are waited for, by whichever thread, and interrupt nothing."""

import signal
import threading

import pytest

from castiron.cli.commands.signals import ENDS, held


@pytest.mark.parametrize("number", ENDS)
def test_a_signal_that_comes_before_anybody_waits_for_it_is_kept(number: signal.Signals) -> None:
    with held():
        signal.pthread_kill(threading.get_ident(), number)  # not the process: others wait in this one

        told = signal.sigtimedwait(ENDS, 5.0)

    assert told is not None
    assert told.si_signo == number


def test_threads_that_start_meanwhile_hold_them_back_and_the_thread_itself_as_before_afterwards() -> None:
    masks: list[set[signal.Signals | int]] = []

    def look() -> None:
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with held():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    assert masks == [before | set(ENDS)]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert before.isdisjoint(ENDS), "nor was one left of an earlier time"
