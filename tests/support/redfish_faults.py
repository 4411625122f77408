"""What can be wrong with an answer of `redfish_bmc`: each is put in line with `RedfishBMC.next`."""

from contextlib import suppress
from typing import Any

from tests.support.redfish_bmc import Fault, Visit


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
    while not visit.bmc.released.wait(0.05):
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
        while not visit.bmc.released.is_set():
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
