"""Three drivers that are written as methods and speak Redfish over real HTTPS: all `def`, all `async def`, and mixed.

What is asked, and what an answer means, is written once, as generators; each driver carries them out in its own way.
"""

import asyncio
import http.client
import json
import ssl
from base64 import b64encode
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from castiron.actors.drivers.base import BootSetting, DriverInfo
from castiron.actors.drivers.methods import Asked, MethodDriver
from castiron.actors.drivers.redfish.settings import check
from castiron.transport.errors import ArgumentInvalid, BMCCredentials, BMCFault, BMCUnsupported
from castiron.transport.vocabulary import Applied, BootDevice, PowerControl, PowerState
from tests.support.redfish_bmc import RESET, SYSTEM

KINDS: Final = {
    PowerControl.ON: "On",
    PowerControl.OFF: "ForceOff",
    PowerControl.SOFT_OFF: "GracefulShutdown",
}
DEVICES: Final = {
    BootDevice.PXE: "Pxe",
    BootDevice.DISK: "Hdd",
    BootDevice.CDROM: "Cd",
    BootDevice.BIOS: "BiosSetup",
}
MOST_BYTES: Final = 65_536


class Sent(NamedTuple):
    """One request."""

    method: str
    path: str
    body: Any = None
    acts: bool = False
    info: Mapping[str, Any] | None = None
    """Instead of the target's."""


Way = Generator[Sent, dict[str, Any], Any]


def get_power(asked: Asked[Any]) -> Way:
    """Read the power state."""
    del asked
    system = yield Sent("GET", SYSTEM)
    return PowerState.ON if system["PowerState"] == "On" else PowerState.OFF


def set_power(asked: Asked[Any]) -> Way:
    """Reset the system."""
    yield Sent("POST", RESET, {"ResetType": KINDS[asked.operation.control]}, acts=True)


def get_boot_device(asked: Asked[Any]) -> Way:
    """Read where it boots from."""
    del asked
    boot = (yield Sent("GET", SYSTEM))["Boot"]
    device = next(device for device, word in DEVICES.items() if word == boot["BootSourceOverrideTarget"])
    is_kept, is_uefi = boot["BootSourceOverrideEnabled"] == "Continuous", boot["BootSourceOverrideMode"] == "UEFI"
    return BootSetting(device, persistent=is_kept, uefi=is_uefi)


def set_boot_device(asked: Asked[Any]) -> Way:
    """Set where it boots from."""
    setting = asked.operation.setting
    boot = {
        "BootSourceOverrideEnabled": "Continuous" if setting.persistent else "Once",
        "BootSourceOverrideTarget": DEVICES[setting.device],
        "BootSourceOverrideMode": "UEFI" if setting.uefi else "Legacy",
    }
    yield Sent("PATCH", SYSTEM, {"Boot": boot}, acts=True)


def verify_credentials(asked: Asked[Any]) -> Way:
    """Try other credentials."""
    try:
        info = check(asked.operation.info).info
    except ArgumentInvalid as invalid:
        raise BMCFault(invalid.message) from None
    yield Sent("GET", SYSTEM, info=info)


def _request(asked: Asked[Any], sent: Sent) -> tuple[str, int, ssl.SSLContext, dict[str, str], bytes]:
    info = sent.info or asked.target.info
    where = urlsplit(str(info["redfish_address"]))
    ca = info.get("redfish_verify_ca")
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    pair = f"{info.get('redfish_username', '')}:{info.get('redfish_password', '')}"
    body = b"" if sent.body is None else json.dumps(sent.body).encode()
    headers = {
        "Host": where.netloc,
        "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    return where.hostname or "", where.port or 443, context, headers, body


def _answer(status: int, body: bytes) -> dict[str, Any]:
    if status == http.client.UNAUTHORIZED:
        raise BMCCredentials("The BMC does not let this user in.", applied=Applied.NO)
    if status == http.client.BAD_REQUEST:
        raise BMCUnsupported("The BMC does not know that.", applied=Applied.NO)
    if status >= http.client.BAD_REQUEST:
        raise BMCFault(f"The BMC answers {status}.")
    return dict(json.loads(body)) if body else {}


def _exchange(asked: Asked[Any], sent: Sent, left_s: float) -> dict[str, Any]:
    host, port, context, headers, body = _request(asked, sent)
    line = http.client.HTTPSConnection(host, port, context=context, timeout=max(0.01, left_s))
    try:
        line.connect()
        if sent.acts:
            asked.acting()
        line.request(sent.method, sent.path, body, headers)
        response = line.getresponse()
        return _answer(response.status, response.read(MOST_BYTES))
    finally:
        line.close()


async def _exchange_awaited(asked: Asked[Any], sent: Sent) -> dict[str, Any]:
    host, port, context, headers, body = _request(asked, sent)
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        if sent.acts:
            asked.acting()
        lines = [f"{sent.method} {sent.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        answered = await reader.read(MOST_BYTES)
        while chunk := await reader.read(MOST_BYTES):
            answered += chunk
    finally:
        writer.transport.abort()
    head, _, content = answered.partition(b"\r\n\r\n")
    return _answer(int(head.split(b" ", 2)[1]), content)


def _blocking(way: Callable[[Asked[Any]], Way]) -> Any:
    def method(self: "Written", asked: Asked[Any]) -> Any:
        exchanges, answer = way(asked), None
        while True:
            try:
                sent = next(exchanges) if answer is None else exchanges.send(answer)
            except StopIteration as end:
                return end.value
            answer = _exchange(asked, sent, asked.deadline - self.clock.now())

    return method


def _awaiting(way: Callable[[Asked[Any]], Way]) -> Any:
    async def method(self: "Written", asked: Asked[Any]) -> Any:
        del self
        exchanges, answer = way(asked), None
        while True:
            try:
                sent = next(exchanges) if answer is None else exchanges.send(answer)
            except StopIteration as end:
                return end.value
            answer = await _exchange_awaited(asked, sent)

    return method


class Written(MethodDriver):
    """What all three have."""

    name = "redfish"

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        """Check driver_info, as the driver does that castiron has."""
        return check(driver_info)


class BlockingRedfish(Written):
    """Blocks."""

    get_power = _blocking(get_power)
    set_power = _blocking(set_power)
    get_boot_device = _blocking(get_boot_device)
    set_boot_device = _blocking(set_boot_device)
    verify_credentials = _blocking(verify_credentials)


class AwaitingRedfish(Written):
    """Awaits."""

    get_power = _awaiting(get_power)
    set_power = _awaiting(set_power)
    get_boot_device = _awaiting(get_boot_device)
    set_boot_device = _awaiting(set_boot_device)
    verify_credentials = _awaiting(verify_credentials)


class MixedRedfish(Written):
    """Does each as it was convenient."""

    get_power = _awaiting(get_power)
    set_power = _blocking(set_power)
    get_boot_device = _blocking(get_boot_device)
    set_boot_device = _awaiting(set_boot_device)
    verify_credentials = _awaiting(verify_credentials)
