"""Many allocations at once over many nodes: how fast they are held, and how many nodes are looked at and asked for it.

The nodes are made in the store, available, before the conductor starts: how they came there is not measured. The
conductor is in this process, on a file, and so is its client.
"""

import tempfile
import time
from pathlib import Path
from typing import Final
from uuid import uuid4

from castiron.actors.settings import Settings
from castiron.store.records import Change, NodeInsert, NodeRecord
from castiron.store.store import Store
from castiron.testing import running_conductor
from castiron.transport.replies import AllocationView
from castiron.transport.verbs import AllocationCreate
from castiron.transport.vocabulary import Instant, NodeName, NodeUUID, PowerState, ProvisionState

ALLOCATIONS: Final = 1_000
CLASSES: Final = 10
TRAITS: Final = 3
"""Each node has some of so many, which makes eight groups of a class."""

PATIENCE_S: Final = 120.0


def measure(*, nodes: int = 10_000) -> dict[str, float]:
    """Return figures by name.

    Args:
        nodes: how many there are to be had.
    """
    with tempfile.TemporaryDirectory(prefix="castiron-bench-") as folder:
        path = Path(folder) / "castiron.db"
        _fill(path, nodes)
        settings = Settings(sync_power_state_interval_s=0.0)
        with running_conductor(store=path, settings=settings) as conductor, conductor.client(PATIENCE_S) as client:
            verbs = [
                AllocationCreate(resource_class=f"class-{number % CLASSES}", traits=["CUSTOM_0"] if number % 2 else [])
                for number in range(ALLOCATIONS)
            ]
            began, cpu = time.perf_counter(), time.process_time()
            made = [answer for _, answer in client.send_many(verbs)]
            held = [client.allocations.wait(one.uuid, PATIENCE_S) for one in made if isinstance(one, AllocationView)]
            wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
            asked = client.events(since=0, types=["allocation.create.end"], follow=False)
            nodes_held = {one.node_uuid for one in held if one.node_uuid is not None}
            return {
                "allocations_per_s": ALLOCATIONS / wall_s,
                "allocation_cpu_us": 1e6 * cpu_s / ALLOCATIONS,
                "held_nodes": len(nodes_held),
                "claims_nodes": sum(1 for _ in asked),
            }


def _fill(path: Path, nodes: int) -> None:
    store = Store.open(path, key_path=None, new_id=lambda: str(uuid4()))
    now = Instant(time.time())
    changes = [
        Change(
            node=NodeInsert(
                record=NodeRecord(
                    uuid=NodeUUID(str(uuid4())),
                    name=NodeName(f"n{number}"),
                    driver="fake",
                    power_state=PowerState.OFF,
                    power_state_at=now,
                    provision_state=ProvisionState.AVAILABLE,
                    resource_class=f"class-{number % CLASSES}",
                    traits=tuple(f"CUSTOM_{bit}" for bit in range(TRAITS) if number // CLASSES >> bit & 1),
                    created_at=now,
                    updated_at=now,
                    owner=store.conductor,
                )
            )
        )
        for number in range(nodes)
    ]
    for outcome in store.committer.commit(changes):
        if isinstance(outcome, Exception):
            raise outcome
    store.close()
