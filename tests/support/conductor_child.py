"""A conductor as a process of its own, for tests that kill it, fill its disk, or stop it as an operator would.

    python -m tests.support.conductor_child STORE ENDPOINT [SETTING=VALUE…]

Says "ready" on standard output. SIGTERM stops it in order. A line with a number on standard input limits the size of
the files that it may write to so many bytes, as a full disk would; an empty line takes the limit away.
"""

import faulthandler
import logging
import resource
import signal
import sys
import threading
from pathlib import Path

from castiron.actors.conductor import Conductor
from castiron.actors.settings import setting_from_text, settings_from
from castiron.cli.commands.signals import ENDS, held

LONG_STOP_S = 11.0
"""Longer than an orderly stop may take: what each thread does then is written to standard error."""


def obey(lines: "list[str]") -> None:
    """Serve until SIGTERM."""
    store, endpoint, *pairs = lines
    values = {name: setting_from_text(name, text) for name, _, text in (pair.partition("=") for pair in pairs)}
    conductor = Conductor(store=Path(store), endpoint=endpoint, settings=settings_from(values))
    with held():
        with conductor:
            threading.Thread(target=heed_limits, daemon=True).start()
            say("ready")
            signal.sigwait(ENDS)
            faulthandler.dump_traceback_later(LONG_STOP_S)
        say("stopped")


def heed_limits() -> None:
    """Limit what may be written, as told."""
    for line in sys.stdin:
        most = int(line) if line.strip() else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        say("limited")


def say(word: str) -> None:
    """Tell the test."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")  # to standard error, where tests read it
    obey(sys.argv[1:])
