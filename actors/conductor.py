"""The conductor: builds every part, starts them in order, and stops them in reverse.

Start-up order is the code of `start`, one line a part, so that it can be read. A part that cannot start stops those before
it. Two conductors can live in one process: nothing here is global. It may be embedded, so signals, logging and the garbage
collector are the business of whoever runs it. No decision about nodes lives here.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from castiron.actors.archive import Archive
from castiron.actors.board import Board
from castiron.actors.clock import SystemClock
from castiron.actors.directory import Directory
from castiron.actors.dispatcher import PoolDispatcher
from castiron.actors.drivers.base import Driver
from castiron.actors.drivers.registry import make_drivers
from castiron.actors.fleet import FleetActor
from castiron.actors.kin import Kin, Seat
from castiron.actors.nursery import Nursery, state_from_store
from castiron.actors.permits import Permits
from castiron.actors.pruning import Pruning
from castiron.actors.reception import Reception
from castiron.actors.services import Services
from castiron.actors.settings import Settings
from castiron.actors.supervisor import SupervisorActor
from castiron.actors.watch import Watch
from castiron.store.records import RequestRecord
from castiron.store.store import Store
from castiron.store.writer import ThreadedWriter
from castiron.transport.client import Client
from castiron.transport.endpoint import default_endpoint
from castiron.transport.frontdoor import FrontDoor
from castiron.transport.vocabulary import ConductorID, NodeUUID

log = logging.getLogger(__name__)
