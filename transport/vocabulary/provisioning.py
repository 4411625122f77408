"""Words of provisioning: states, what moves a node between them, and the steps of the work."""

from enum import StrEnum


class ProvisionState(StrEnum):
    """Where a node stands between being known and being used: Ironic's states, in its spelling."""

    ENROLL = "enroll"
    VERIFYING = "verifying"
    MANAGEABLE = "manageable"
    AVAILABLE = "available"
    DEPLOYING = "deploying"
    DEPLOY_WAIT = "wait call-back"
    DEPLOY_HOLD = "deploy hold"
    DEPLOY_FAILED = "deploy failed"
    ACTIVE = "active"
    DELETING = "deleting"
    ERROR = "error"
    CLEANING = "cleaning"
    CLEAN_WAIT = "clean wait"
    CLEAN_HOLD = "clean hold"
    CLEAN_FAILED = "clean failed"
    INSPECTING = "inspecting"
    INSPECT_WAIT = "inspect wait"
    INSPECT_FAILED = "inspect failed"
    ADOPTING = "adopting"
    ADOPT_FAILED = "adopt failed"
    RESCUING = "rescuing"
    RESCUE_WAIT = "rescue wait"
    RESCUE = "rescue"
    RESCUE_FAILED = "rescue failed"
    UNRESCUING = "unrescuing"
    UNRESCUE_FAILED = "unrescue failed"
    SERVICING = "servicing"
    SERVICE_WAIT = "service wait"
    SERVICE_HOLD = "service hold"
    SERVICE_FAILED = "service failed"


class ProvisionEvent(StrEnum):
    """What moves a node from one provision state to another; the first thirteen are asked for, the others happen."""

    MANAGE = "manage"
    PROVIDE = "provide"
    INSPECT = "inspect"
    ADOPT = "adopt"
    DEPLOY = "deploy"
    DELETE = "delete"
    REBUILD = "rebuild"
    CLEAN = "clean"
    RESCUE = "rescue"
    UNRESCUE = "unrescue"
    SERVICE = "service"
    ABORT = "abort"
    UNHOLD = "unhold"
    HOLD = "hold"
    WAIT = "wait"
    RESUME = "resume"
    DONE = "done"
    FAIL = "fail"


class ProvisionTarget(StrEnum):
    """What may be asked of a node's provision state and becomes a request."""

    MANAGE = "manage"
    PROVIDE = "provide"
    INSPECT = "inspect"
    ADOPT = "adopt"
    DEPLOY = "deploy"
    UNDEPLOY = "undeploy"
    REBUILD = "rebuild"
    CLEAN = "clean"
    RESCUE = "rescue"
    UNRESCUE = "unrescue"
    SERVICE = "service"


class StepKind(StrEnum):
    """What a step is part of: Ironic's kinds, and those of the states that it has no steps for."""

    VERIFY = "verify"
    INSPECT = "inspect"
    CLEAN = "clean"
    ADOPT = "adopt"
    DEPLOY = "deploy"
    UNDEPLOY = "undeploy"
    RESCUE = "rescue"
    UNRESCUE = "unrescue"
    SERVICE = "service"


class StepState(StrEnum):
    """Where a step stands; TaskFlow's words."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    """It has begun, and somebody else will say how it ended."""
    SUCCESS = "success"
    FAILURE = "failure"
    REVERTING = "reverting"
    REVERTED = "reverted"
    REVERT_FAILURE = "revert failure"
    """What it had done could not be taken back."""


class TaskExecutor(StrEnum):
    """Who says which step of a node is next."""

    BUILTIN = "builtin"
    """castiron itself, in the node's actor."""
    TASKFLOW = "taskflow"
    """TaskFlow, from the extra `taskflow`."""


class EngineMode(StrEnum):
    """How the steps of one node run."""

    SERIAL = "serial"
    """One after the other."""
    PARALLEL = "parallel"
    """Side by side, as far as their `after` lets them."""
