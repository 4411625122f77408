"""The conductor under fire, as a process of its own, so that what it takes of the machine is its own.

    python -m tests.fuzz.target STORE ENDPOINT [SERVER_KEY_FILE ALLOW_LIST]

Only the fake driver, for a mutated BMC address must lead nowhere; ids in order, so that a seed finds its requests
again. Says "ready", and where it listens; ends when standard input does.
"""

import itertools
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

from castiron.actors.bulkheads.shares import Shares
from castiron.actors.conductor import Conductor
from castiron.actors.dispatch.clock import Clock
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.fake import FakeDriver
from castiron.actors.settings import Settings
from tests.fuzz.corpus import request_id

SETTINGS = Settings(
    power_state_change_timeout_s=0.5,
    soft_power_off_timeout_s=0.5,
    command_timeout_s=0.5,
    unknown_outcome_settle_s=0.05,
    power_poll_initial_s=0.01,
    power_poll_max_s=0.05,
    step_timeout_s=0.5,
    deploy_callback_timeout_s=0.5,
    clean_callback_timeout_s=0.5,
    service_callback_timeout_s=0.5,
    rescue_callback_timeout_s=0.5,
    inspect_wait_timeout_s=0.5,
    event_retention_count=1_000,
    request_retention_s=60.0,
)
"""Everything ends soon, and little is kept, so that what grows is seen."""


def only_fake(clock: Clock, settings: Settings, shares: Shares) -> Mapping[str, Driver]:
    """Make the drivers."""
    del settings, shares
    return {"fake": FakeDriver(clock)}


def serve(store: str, endpoint: str, server_key: str | None = None, allow: str | None = None) -> None:
    """Run it until nobody writes to standard input any more."""
    numbers = itertools.count(1)
    conductor = Conductor(
        store=Path(store),
        endpoint=endpoint,
        server_key_path=None if server_key is None else Path(server_key),
        allow_path=None if allow is None else Path(allow),
        settings=SETTINGS,
        drivers=only_fake,
        new_id=lambda: request_id(next(numbers)),
    )
    with conductor:
        sys.stdout.write(f"ready {conductor.endpoint}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")  # to standard error, where tests read it
    serve(*sys.argv[1:])
