"""A minute of faults, users and subscribers on 200 nodes leaves nothing behind; `make soak` has ten on 2,000.

The judge itself is tested in tests/unit/bench/test_growth.py: here it must be able to see what it is shown.
"""

import pytest

from bench.misfits import ILLS, REDFISH_ILLS
from bench.soak import Plan, bounds_of, soak

PLAN = Plan(nodes=200, seconds=60.0, seed=1, interval_s=2.0, requests_per_s=2.0, is_python=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_minute_of_faults_leaves_nothing_behind() -> None:
    report = soak(PLAN)

    grown = [verdict for verdict in report.verdicts if not verdict.is_held]
    assert grown == []
    assert report.unhealed == []
    # And it was a minute of what it says.
    assert {verdict.name for verdict in report.verdicts} == set(
        bounds_of(PLAN.nodes, redfish=PLAN.redfish, requests=0, checks=0)
    )
    assert report.checks["agreed"] > PLAN.nodes * 3, "rounds in which something could have been left behind"
    assert report.checks["failed"] > 0
    assert report.checks["corrected"] > 0
    assert report.requests["accepted"] > 0
    assert report.events > 0
    assert all(report.faults[what] > 0 for what in ("silent", "reboot", "button"))
    assert len({*ILLS, *REDFISH_ILLS} & set(report.faults)) > len([*ILLS, *REDFISH_ILLS]) / 2
