"""What can be wrong with an answer of `redfish_bmc`: each is put in line with `RedfishBMC.next`."""

from contextlib import suppress
from typing import Any, Final

from tests.support.redfish_bmc import Fault, Visit

MONITOR: Final = "/taskmon/42"
"""A monitor may be anywhere at the BMC."""


def hang(visit: Visit) -> bool:
    """Say nothing, until the BMC is closed or releases it; then answer."""
    visit.bmc.released.wait(30)
    return False


def hang_inside(visit: Visit) -> bool:
    """Begin an answer and never end it."""
    visit.send_response(200)
    visit.send_header("Content-Length", "1000")
    visit.end_headers()
    visit.wfile.write(b'{"PowerState": ')
    visit.bmc.released.wait(30)
    return True


def drip(visit: Visit) -> bool:
    """Send a byte of an answer now and then: no silence is ever long."""
    visit.send_response(200)
    visit.send_header("Content-Length", "100000")
    visit.end_headers()
    released = visit.bmc.released
    while not released.wait(0.05):
        visit.wfile.write(b" ")
    return True


def status(code: int, body: Any = None, **headers: str) -> Fault:
    """Answer with a status; headers have underscores for dashes."""

    def fault(visit: Visit) -> bool:
        visit.reply(code, body, {name.replace("_", "-"): value for name, value in headers.items()})
        return True

    return fault


def truncated(visit: Visit) -> bool:
    """End in the middle of a resource, well-formed as HTTP."""
    visit.reply(200, b'{"PowerState": "On", "Boot": {')
    return True


def cut(visit: Visit) -> bool:
    """End the connection in the middle of an answer."""
    visit.send_response(200)
    visit.send_header("Content-Length", "1000")
    visit.end_headers()
    visit.wfile.write(b'{"PowerState": "On"')
    visit.close_connection = True
    return True


def endless(visit: Visit) -> bool:
    """Answer without end."""
    visit.send_response(200)
    visit.send_header("Connection", "close")
    visit.end_headers()
    with suppress(OSError):
        released = visit.bmc.released
        while not released.is_set():
            visit.wfile.write(b" " * 65_536)
    visit.close_connection = True
    return True


def lost(method: str, path: str, body: dict[str, Any]) -> Fault:
    """Do it, and end the connection without an answer."""

    def fault(visit: Visit) -> bool:
        visit.bmc.act(visit, method, path, body)
        visit.close_connection = True
        return True

    return fault


def becomes_a_task(
    ends: tuple[int, Any], *, looks: int = 2, does: dict[str, Any] | None = None, at: str = MONITOR, **headers: str
) -> Fault:
    """Take a request as a task, which goes on for so many looks at its monitor; then that answers as it ends.

    Args:
        ends: status and body of the last answer.
        does: what the request was, to be carried out then.
        at: where the monitor is.
        headers: of the answers while it goes on, with underscores for dashes.
    """
    told = {name.replace("_", "-"): value for name, value in headers.items()}

    def fault(visit: Visit) -> bool:
        left = looks
        method, path = visit.command, visit.path

        def look() -> tuple[int, Any, dict[str, str]]:
            nonlocal left
            left -= 1
            if left >= 0:
                return 202, {"TaskState": "Running"}, told
            if does is not None:
                visit.bmc.act(visit, method, path, does)
            return ends[0], ends[1], {}

        visit.bmc.tasks[at] = look
        visit.reply(202, {"TaskState": "New"}, {"Location": at, **told})
        return True

    return fault
