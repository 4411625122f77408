"""The picture of the page in docs/guides/web.md: a fleet with some of everything, in a headless Chromium.

    python -m docs.site.screenshot

takes it anew. The picture says which page it is of, and a test whether that is the page as it is.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from castiron.actors.settings import settings_from
from castiron.testing import BMCFarm, impatient_drivers, running_conductor
from castiron.transport.clients.blocking.client import Client
from tests.contracts.web.serving import serving
from tests.support.chromium import chromium
from tests.support.deadline import until

PICTURE: Final = Path(__file__).resolve().parents[1] / "guides" / "web.png"
PAGE: Final = Path(__file__).resolve().parents[2] / "cli" / "web" / "page"
SEEN: Final = ("index.html", "style.css", "states.js")
"""The files that decide what the page looks like."""

RACKS: Final = 6
NODES: Final = 96
SILENT: Final = (20, 39, 58, 77)
CHECK_S: Final = 2.0
SOON_S: Final = 120.0
KEY: Final = b"page"
"""Of the text in the picture that names the page."""

_HEAD: Final = 8
_READY: Final = """
const cross = document.querySelector("#legend [data-key=fault] b")?.textContent;
return cross === arguments[0] && document.querySelectorAll("#panel .life li").length > 5;
"""


def digest() -> str:
    """Return what the page looks like, as a sum over its files."""
    return hashlib.sha256(b"".join((PAGE / name).read_bytes() for name in SEEN)).hexdigest()


def chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the parts of a PNG file."""
    at = _HEAD
    while at < len(picture):
        (size,) = struct.unpack(">I", picture[at : at + 4])
        yield picture[at + 4 : at + 8], picture[at + 8 : at + 8 + size]
        at += size + 12


def marked(picture: bytes, text: str) -> bytes:
    """Return a PNG file with a text in it."""
    body = b"tEXt" + KEY + b"\0" + text.encode()
    part = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    end = picture.rindex(b"IEND") - 4
    return picture[:end] + part + picture[end:]


def mark_of(picture: bytes) -> str:
    """Return the text in a PNG file; empty: there is none."""
    texts = (data.split(b"\0", 1) for kind, data in chunks(picture) if kind == b"tEXt")
    return next((text.decode() for key, text in texts if key == KEY), "")


def fleet(client: Client, farm: BMCFarm) -> None:
    """Make machines that are on, off, silent, in maintenance, and waited for."""
    names = [f"rack{number // 16 + 1}-u{number % 16 + 1:02}" for number in range(NODES)]
    for name, bmc in zip(names, farm, strict=True):
        client.nodes.create(name, driver_info=bmc.driver_info)
    on = [client.nodes.power(name, "power on") for number, name in enumerate(names[:70]) if number not in SILENT]
    for request in on:
        request.wait(SOON_S).raise_for_error()
    for number in SILENT:
        farm[number].change_faults(silent=True)
    for name in names[5:34:7]:
        client.nodes.set_maintenance(name, reason="new fan")
        client.nodes.power(name, "power off", hold=True)
    client.nodes.set("rack2-u06", resource_class="compute", traits=["CUSTOM_RAID"])
    client.nodes.power("rack2-u06", "rebooting").wait(SOON_S)
    until(lambda: client.status().nodes["fault"] == len(SILENT), timeout_s=SOON_S)


def taken(url: str, uuid: str) -> bytes:
    """Return a picture of the page with one node open."""
    with chromium(height=1080) as browser:
        page: Any = browser
        page.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        page.get(f"{url}#{uuid}")
        until(lambda: page.execute_script(_READY, str(len(SILENT))) is True, timeout_s=SOON_S)
        picture: bytes = page.get_screenshot_as_png()
        return picture


def main() -> None:
    """Take the picture."""
    settings = settings_from(
        {"sync_power_state_interval_s": CHECK_S, "power_state_sync_max_retries": 1, "power_check_start_spread_s": 0.0}
    )
    with (
        BMCFarm(bmcs=NODES) as farm,
        running_conductor(settings=settings, drivers=impatient_drivers) as conductor,
        conductor.client(timeout_s=30) as client,
    ):
        fleet(client, farm)
        with serving(conductor.endpoint) as web:
            picture = taken(web.url, client.nodes.show("rack2-u06").uuid)
    PICTURE.write_bytes(marked(picture, digest()))


if __name__ == "__main__":
    main()
