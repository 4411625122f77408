"""Who looks after a conductor that has been built: its watch, with what it looks at once a second.

Only puts together; what is looked at, and what follows, is said where each part lives.
"""

import logging
from collections.abc import Callable, Mapping

from castiron.actors.dispatch.dispatcher import Lasted
from castiron.actors.dispatch.pool import PoolDispatcher
from castiron.actors.metrics.lag import Lags, probed
from castiron.actors.metrics.prometheus.endpoint import Endpoint
from castiron.actors.metrics.slowness import SlowTurns
from castiron.actors.parts import Parts
from castiron.actors.published.alarms import Lookout
from castiron.actors.published.bulletin import Bulletin
from castiron.actors.services import Services
from castiron.actors.settings import Settings
from castiron.actors.supervision.kin import Kin
from castiron.actors.supervision.overdue import Orphanage
from castiron.actors.supervision.watch import Watch, Watched
from castiron.transport.doors.frontdoor import FrontDoor
from castiron.transport.doors.guard import Guard

log = logging.getLogger(__name__)


def open_metrics(bulletin: Bulletin, settings: Settings, parts: Parts) -> None:
    """Serve metrics, if the settings say where.

    Args:
        bulletin: what it says of itself.
        settings: the conductor's.
        parts: where the end of it is noted.

    Raises:
        EndpointRefused: the system does not let it listen there.
    """
    if not settings.prometheus_port:
        return
    from castiron.actors.metrics.prometheus.exposition import Renderer  # noqa: PLC0415 - an extra, and 60 ms that others save

    renderer = Renderer(bulletin.vitals)
    endpoint = Endpoint(settings.prometheus_address, settings.prometheus_port, renderer.page)
    parts.add_quick("metrics endpoint", endpoint.stop)
    log.info("metrics are at %s", endpoint.url)


def threads_of(
    clock: Watched,
    writer: Watched,
    archive: Watched,
    front_door: Watched,
    drivers: Mapping[str, Watched],
    *,
    sender: Watched | None,
    guard: Guard | None,
) -> dict[str, Watched]:
    """Return the threads that must live, by the names that people read."""
    return {
        "clock": clock,
        "store writer": writer,
        "archive": archive,
        "front door": front_door,
        **({} if guard is None else {"allow-list": guard.follower}),
        **{f"{name} driver": driver for name, driver in drivers.items()},
        **({} if sender is None else {"webhooks": sender}),
    }


def open_watch(
    services: Services,
    kin: Kin,
    dispatcher: PoolDispatcher,
    bulletin: Bulletin,
    front_door: FrontDoor,
    *,
    parts: Mapping[str, Watched],
    slowness: SlowTurns,
    failed: Callable[[str], None],
) -> Watch:
    """Return a watch that has not begun to look, and let the bulletin speak of it.

    Args:
        services: the conductor's.
        kin: whom it tells of actors that hang.
        dispatcher: whose turns it looks at.
        bulletin: is complete from now on.
        front_door: as in `parts`.
        parts: the threads that must live, by the names that people read.
        slowness: names slow turns.
        failed: told what died.
    """
    settings = services.settings
    lookout = Lookout(bulletin.gauges, services.writer, services.clock)
    bulletin.loops.tell(lambda who, lasted_s: slowness.ended(Lasted(who, "a coroutine", lasted_s)))
    lags = Lags(services.clock, dispatcher.waits, probed(parts), warning_s=settings.lag_warning_s)

    def sample() -> None:
        """Look at what is sampled once a second."""
        bulletin.loops.look()
        lags.look()
        lookout.look()

    watch = Watch(
        dispatcher=dispatcher,
        supervisor=kin.supervisor,
        parts={**parts, "coroutines": bulletin.loops},
        hung_turn_s=settings.hung_turn_s,
        slow_turn_s=settings.slow_turn_s,
        slowness=slowness,
        overdue=Orphanage(services.board, services.directory, services.clock).look,
        sample=sample,
        failed=failed,
    )
    bulletin.lookout, bulletin.front_door, bulletin.watch, bulletin.lags = lookout, front_door, watch, lags
    lags.start()
    return watch
