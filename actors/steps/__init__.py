"""Steps that somebody else writes: how they are declared, found, and carried out by workers.

May come in: how a step is carried out. Must not: which step is next, or what follows from its end (`core.provision`).
"""

from castiron.actors.steps.declaring import StepContext, deferred, flow_step, step

__all__ = ["StepContext", "deferred", "flow_step", "step"]
