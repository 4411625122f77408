"""TaskFlow, with types of ours beside this file: it ships none. What is named is all that castiron leans on.

May come in: another name of TaskFlow's. Must not: anything that does something.
"""

from taskflow.engines import load, load_from_detail  # pyright: ignore[reportUnknownVariableType] - see library.pyi
from taskflow.engines.base import Engine
from taskflow.exceptions import NotFound, WrappedFailure
from taskflow.flow import Flow
from taskflow.patterns.graph_flow import Flow as GraphFlow
from taskflow.patterns.linear_flow import Flow as LinearFlow
from taskflow.persistence.base import Backend, Connection
from taskflow.persistence.models import AtomDetail, FlowDetail, LogBook, TaskDetail
from taskflow.states import (
    EXECUTE,
    FAILURE,
    PENDING,
    REVERT,
    REVERTED,
    REVERTING,
    RUNNING,
    SUCCESS,
    SUSPENDED,
    WAITING,
)
from taskflow.task import Task
from taskflow.types.failure import Failure

__all__ = [
    "EXECUTE",
    "FAILURE",
    "PENDING",
    "REVERT",
    "REVERTED",
    "REVERTING",
    "RUNNING",
    "SUCCESS",
    "SUSPENDED",
    "WAITING",
    "AtomDetail",
    "Backend",
    "Connection",
    "Engine",
    "Failure",
    "Flow",
    "FlowDetail",
    "GraphFlow",
    "LinearFlow",
    "LogBook",
    "NotFound",
    "Task",
    "TaskDetail",
    "WrappedFailure",
    "load",
    "load_from_detail",
]
