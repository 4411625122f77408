"""The BMC itself: who it is, its restart, and whether somebody may log in. Pure.

    operation          request (network function 0x06)   answer, after the completion code
    GetDeviceID        0x01                              id, revision, firmware (2), IPMI, support, maker (3), product
    GetSystemGUID      0x37                              16 bytes
    ResetBMC           0x02 cold, 0x03 warm              -
    VerifyCredentials  Get Chassis Status, in a session of its own

Source: IPMI v2.0, 20.1 Get Device ID, 20.2 Cold Reset, 20.3 Warm Reset, 22.14 Get System GUID.
"""

from typing import Final

from castiron.actors.drivers.findings import DeviceID, SystemGUID
from castiron.actors.drivers.ipmi.sessions.codes import APP
from castiron.actors.drivers.ipmi.sessions.exchange import GET_CHASSIS_STATUS, Request, Steps, needed

GET_DEVICE_ID: Final = Request(APP, 0x01)
MIN_ID_BYTES: Final = 11
_GUID_BYTES: Final = 16
_HAS_REPOSITORY: Final = 0x02


def get_device_id() -> Steps:
    """Read who made the BMC, and its versions."""
    return read_id(needed(GET_DEVICE_ID, (yield GET_DEVICE_ID), length=MIN_ID_BYTES))


def get_system_guid() -> Steps:
    """Read the machine's GUID."""
    request = Request(APP, 0x37)
    return SystemGUID(needed(request, (yield request), length=_GUID_BYTES)[:_GUID_BYTES])


def reset(*, cold: bool, try_session: bool) -> Steps:
    """Restart the BMC; first a read, where it is to be seen that the session still lives."""
    if try_session:
        yield GET_CHASSIS_STATUS
    request = Request(APP, 0x02 if cold else 0x03, acts=True, once=True, ends_session=True)
    needed(request, (yield request))
    return None


def verify() -> Steps:
    """See that a session lets one ask."""
    needed(GET_CHASSIS_STATUS, (yield GET_CHASSIS_STATUS))
    return None


def read_id(data: bytes) -> DeviceID:
    """Return what the answer to Get Device ID says, of MIN_ID_BYTES at least."""
    return DeviceID(
        device_id=data[0],
        device_revision=data[1] & 0x0F,
        firmware=f"{data[2] & 0x7F}.{data[3]:02x}",  # the second is BCD
        ipmi=f"{data[4] & 0x0F}.{data[4] >> 4}",
        has_sdr_repository=bool(data[5] & _HAS_REPOSITORY),
        manufacturer_id=int.from_bytes(data[6:9], "little") & 0xFFFFF,
        product_id=int.from_bytes(data[9:11], "little"),
    )
