"""A start with 200 BMCs over real UDP, 30 % of them silent, all to be looked at at once: logins come at their rate.

Judged by counts, by what came before what, and by bounds from above, which a slow machine cannot break.
"""

import time
from pathlib import Path

from castiron.actors.drivers.ipmi.pacing.limits import LEAST_BURST
from castiron.actors.settings import Settings
from castiron.testing import BMCFarm, Faults, running_conductor
from castiron.transport.vocabulary import PowerTarget, RequestState
from tests.faults.isolation.test_silent_bmcs import create_all, is_silent
from tests.support.deadline import until

BMCS = 200
RATE_PER_S = 40.0
AT_ONCE = 2 * LEAST_BURST + 1
"""Twice the burst, and one."""
LONG_S = 60.0
"""No judgement: the time after which a wait has failed."""
UNCHECKED = Settings(sync_power_state_interval_s=0.0)
SETTINGS = Settings(
    sync_power_state_interval_s=3600.0,
    power_check_start_spread_s=0.0,
    command_timeout_s=LONG_S,
    ipmi_max_logins_per_s=RATE_PER_S,
    ipmi_max_datagrams_per_s=2_000.0,
)


def test_logins_at_a_start_come_at_their_rate_and_neither_the_silent_nor_the_others_hold_up_a_request(
    tmp_path: Path,
) -> None:
    store = tmp_path / "castiron.db"
    with BMCFarm(bmcs=BMCS, seed=1) as farm:
        with running_conductor(store=store, settings=UNCHECKED) as conductor, conductor.client(timeout_s=30) as client:
            create_all(client, farm)
        healthy = [number for number in range(BMCS) if not is_silent(number)]
        for number in range(BMCS):
            farm[number].set_faults(Faults(silent=is_silent(number)))
        before = time.monotonic()
        with running_conductor(store=store, settings=SETTINGS) as conductor, conductor.client(timeout_s=30) as client:

            def logins() -> int:
                count = int(client.status().drivers["ipmi"]["logins"])
                assert count <= RATE_PER_S * (time.monotonic() - before) + AT_ONCE
                return count

            until(lambda: logins() > 0, timeout_s=LONG_S)
            asked = client.nodes.power(f"n{healthy[-1]}", PowerTarget.ON)
            assert asked.wait(LONG_S).state is RequestState.SUCCEEDED
            assert logins() < len(healthy), "it waited for all the others"

            until(lambda: logins() == len(healthy), timeout_s=LONG_S)
            ipmi = client.status().drivers["ipmi"]
            assert ipmi["sessions"] == len(healthy)
            assert max(farm[number].login_count for number in healthy) == 1
            until(lambda: client.status().checks.failed == BMCS - len(healthy), timeout_s=LONG_S)
            assert client.status().checks.skipped <= 1, "the check that the request came before"
