"""Power on, one machine after the other, in an idle conductor with open sessions: from accepted to confirmed."""

import tempfile
from pathlib import Path
from typing import Final

from bench import load
from bench.apart import apart
from bench.checks import Case, Stage
from bench.load import Burst, Wave, at_us
from bench.provisioning import SUCCEEDED
from bench.rows.sizes import Size
from bench.scene import conductor, endpoint_of, fill, names
from bench.simulator import AT_ONCE, REAL, Manners, bmcs
from castiron.transport.clients.blocking.client import Client
from castiron.transport.codec import encode_verb
from castiron.transport.verbs import NodePowerSet
from castiron.transport.vocabulary import PowerTarget, ReplyWish

LINES: Final = {AT_ONCE: 1, REAL: 16}
"""In flight: one, as nobody else is there; where each waits for its BMC, some side by side, to save time."""


def measure(size: Size) -> dict[str, float]:
    """Return figures by name, each manner's with its prefix."""
    return {
        f"{prefix}_{name}": value
        for prefix, manners in (("at_once", AT_ONCE), ("real", REAL))
        for name, value in _measure(size.asked, manners).items()
    }


def _measure(nodes: int, manners: Manners) -> dict[str, float]:
    verbs = (NodePowerSet(node=name, target=PowerTarget.ON, replies=ReplyWish.BOTH) for name in names(nodes))
    bodies = tuple(encode_verb(verb) for verb in verbs)
    with (
        tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder,
        bmcs(nodes, manners=manners) as farm,
        apart(load.serve) as clients,
    ):
        store = Path(folder) / "castiron.db"
        fill(store, farm.infos)
        with (
            conductor(store, power_check_start_spread_s=1.0) as server,
            Client(endpoint_of(store), timeout_s=60.0) as client,
        ):
            Stage(Case(nodes, 25.0), farm, server, client).wait_for_sessions()
            wave: Wave = clients.ask(
                Burst(endpoint_of(store), bodies, SUCCEEDED, LINES[manners], window=1, is_strict=False)
            )
    took_s = sorted(wave.confirmed_s)
    return {
        "p50_ms": at_us(took_s, 50) / 1e3,
        "p99_ms": at_us(took_s, 99) / 1e3,
        "accepted_p50_ms": at_us(sorted(wave.accepted_s), 50) / 1e3,
        "failed": float(len(wave.bad)),
    }
