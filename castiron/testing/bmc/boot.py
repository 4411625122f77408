"""System boot options: the parameters that say where a machine boots from next, as a BMC keeps them.

The traps of real ones are here: an override that is not persistent is used up by the next boot, and one that no chassis
control follows is forgotten after a minute, unless parameter 3 says otherwise.

Source: IPMI v2.0, 28.12 to 28.14.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from castiron.testing.bmc import codes
from castiron.transport.vocabulary import BootDevice

FLAGS_VALID_S: Final = 60.0
"""Without a chassis control within this time, boot flags stop being valid (table 28-14, parameter 3)."""

_SET_IN_PROGRESS: Final = 0
_CLEARING: Final = 3
_ACKNOWLEDGE: Final = 4
_FLAGS: Final = 5
_SIZES: Final[Mapping[int, int]] = MappingProxyType({_SET_IN_PROGRESS: 1, _CLEARING: 1, _ACKNOWLEDGE: 2, _FLAGS: 5})

_VALID: Final = 0x80
_PERSISTENT: Final = 0x40
_UEFI: Final = 0x20
_KEEP_ON_TIMEOUT: Final = 0x08
_DEVICES: Final[Mapping[int, BootDevice]] = MappingProxyType(
    {
        0: BootDevice.DEFAULT,
        1: BootDevice.PXE,
        2: BootDevice.DISK,
        3: BootDevice.SAFE,
        5: BootDevice.CDROM,
        6: BootDevice.BIOS,
        15: BootDevice.FLOPPY,
    }
)


class BootOptions:
    """The boot options of one machine."""

    __slots__ = ("_flags_end_at", "_invalid", "_values")

    def __init__(self) -> None:
        self._values = {parameter: bytes(size) for parameter, size in _SIZES.items()}
        self._invalid: set[int] = set()
        self._flags_end_at: float | None = None

    def device(self, now: float) -> BootDevice:
        """Return where the next boot goes."""
        flags = self._flags(now)
        return _DEVICES[flags[1] >> 2 & 0x0F] if flags[0] & _VALID else BootDevice.DEFAULT

    def is_persistent(self, now: float) -> bool:
        """Return whether the override survives the next boot."""
        return self._flags(now)[0] & (_VALID | _PERSISTENT) == _VALID | _PERSISTENT

    def is_uefi(self, now: float) -> bool:
        """Return whether the next boot is asked to be a UEFI boot."""
        return self._flags(now)[0] & (_VALID | _UEFI) == _VALID | _UEFI

    def get(self, parameter: int, now: float) -> bytes:
        """Answer Get System Boot Options: completion code, and the parameter as it is kept."""
        self._flags(now)
        value = self._values.get(parameter)
        if value is None:
            return codes.PARAMETER_UNSUPPORTED
        return codes.OK + bytes((1, parameter | (0x80 if parameter in self._invalid else 0))) + value

    def set(self, selector: int, value: bytes, now: float) -> bytes:
        """Answer Set System Boot Options: completion code. Without a value, only marks the parameter (in)valid."""
        parameter = selector & 0x7F
        refusal = self._refusal(parameter, value)
        if refusal is not None:
            return refusal
        if selector & 0x80:
            self._invalid.add(parameter)
        else:
            self._invalid.discard(parameter)
        if value:
            self._store(parameter, value, now)
        return codes.OK

    def see_control(self) -> None:
        """A chassis control has arrived: boot flags no longer run out."""
        self._flags_end_at = None

    def use(self) -> None:
        """The machine boots: an override that is not persistent is used up."""
        flags = self._values[_FLAGS]
        if not flags[0] & _PERSISTENT:
            self._invalidate_flags()

    def _refusal(self, parameter: int, value: bytes) -> bytes | None:
        size = _SIZES.get(parameter)
        if size is None:
            return codes.PARAMETER_UNSUPPORTED
        if value and len(value) != size:
            return codes.LENGTH_INVALID
        if parameter == _FLAGS and value and value[1] >> 2 & 0x0F not in _DEVICES:
            return codes.OUT_OF_RANGE
        if parameter == _SET_IN_PROGRESS and value == b"\x01" == self._values[_SET_IN_PROGRESS]:
            return codes.SET_IN_PROGRESS
        return None

    def _store(self, parameter: int, value: bytes, now: float) -> None:
        if parameter == _ACKNOWLEDGE:  # a write mask, then the bits
            mask, bits = value
            value = bytes((0, self._values[_ACKNOWLEDGE][1] & ~mask | bits & mask))
        self._values[parameter] = value
        if parameter == _FLAGS:
            keeps = self._values[_CLEARING][0] & _KEEP_ON_TIMEOUT
            self._flags_end_at = None if keeps else now + FLAGS_VALID_S

    def _flags(self, now: float) -> bytes:
        if self._flags_end_at is not None and now >= self._flags_end_at:
            self._invalidate_flags()
        return self._values[_FLAGS]

    def _invalidate_flags(self) -> None:
        flags = self._values[_FLAGS]
        self._values[_FLAGS] = bytes((flags[0] & ~_VALID & 0xFF,)) + flags[1:]
        self._flags_end_at = None
