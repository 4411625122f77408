"""Which machine a node stands for, also one that is no more. And what a judge is. Pure."""

from collections.abc import Callable
from typing import Final

from castiron.testing.simulation.evidence import Evidence
from castiron.testing.simulation.machines import Machine
from castiron.transport.replies import NodeView
from castiron.transport.verbs import NodeCreate
from castiron.transport.vocabulary import NodeUUID

TICK_S: Final = 0.01
"""A tick of the clock of a real conductor: what is due is done by the next one."""

Hold = Callable[[bool, str], None]
"""Told, for each case, whether it is as it must be, and what is wrong where it is not."""


def machines_of(evidence: Evidence) -> dict[NodeUUID, Machine]:
    """Return which machine each node stands for; of deleted ones too, if their creation was answered."""
    by_address = {machine.bmc_address: machine for machine in evidence.machines}
    by_info = {str(sorted(machine.driver_info.items())): machine for machine in evidence.machines}
    found = {node.uuid: by_address[node.bmc_address] for node in evidence.nodes if node.bmc_address in by_address}
    for question in evidence.questions:
        if isinstance(question.verb, NodeCreate):
            machine = by_info.get(str(sorted(question.verb.driver_info.items())))
            for view in question.results:
                if machine is not None and isinstance(view, NodeView):
                    found[NodeUUID(view.uuid)] = machine
    return found
