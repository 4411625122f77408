"""Which certificates are right: signed by a known authority, the pinned one, or any where that was asked for."""

import hashlib
import hmac
import ssl
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

from castiron.actors.drivers.redfish.settings import Settings
from castiron.transport.errors import BMCCertificate

MAX_CONTEXTS: Final = 16
"""Kept; one for each file of authorities in use, as most fleets have one. Each holds some 0.5 MB."""

_Key = tuple[bool | str, float]


class Contexts:
    """TLS contexts, shared by all BMCs that are judged alike: to read the authorities costs 20 ms. Any thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, ssl.SSLContext] = OrderedDict()
        self._lock = threading.Lock()

    def context(self, settings: Settings) -> ssl.SSLContext:
        """Return the context for a BMC; a file of authorities that has changed is read anew.

        Raises:
            BMCCertificate: the authorities cannot be read.
        """
        verify = settings.verify if settings.fingerprint is None else False
        try:
            key = (verify, Path(verify).stat().st_mtime if isinstance(verify, str) else 0.0)
            with self._lock:
                context = self._kept.get(key) or make_context(verify)
                self._kept[key] = context
                self._kept.move_to_end(key)
                while len(self._kept) > MAX_CONTEXTS:
                    self._kept.popitem(last=False)
                return context
        except (OSError, ssl.SSLError) as error:
            message = (
                f"The CA certificates at {verify} cannot be read: {type(error).__name__}. "
                "Set redfish_verify_ca to a readable PEM file, or a folder prepared by `openssl rehash`."
            )
            raise BMCCertificate(message) from None


def make_context(verify: bool | str) -> ssl.SSLContext:
    """Return a context that verifies, by the system's authorities or those of a file or folder; or that does not.

    Raises:
        OSError, ssl.SSLError: the authorities cannot be read.
    """
    if verify is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if verify is True:
        return ssl.create_default_context()
    is_folder = Path(verify).is_dir()
    return ssl.create_default_context(cafile=None if is_folder else verify, capath=verify if is_folder else None)


def judge(settings: Settings, certificate: bytes | None) -> None:
    """See that a certificate (DER) is the one that is pinned, if one is.

    Raises:
        BMCCertificate: it is another.
    """
    if settings.fingerprint is None:
        return
    found = hashlib.sha256(certificate or b"").hexdigest()
    if not hmac.compare_digest(found, settings.fingerprint):
        message = (
            f"{settings.address} shows another certificate than the pinned one: its SHA-256 is {found}. "
            "If the BMC's certificate was renewed, set redfish_fingerprint to that; if not, somebody is in between."
        )
        raise BMCCertificate(message, details={"fingerprint": found})


def untrusted(settings: Settings, error: ssl.SSLCertVerificationError) -> BMCCertificate:
    """Return the error of a certificate that did not pass."""
    message = (
        f"The certificate of {settings.address} cannot be trusted: {error.verify_message}. "
        "Set redfish_verify_ca to the file of the authority that signed it, or redfish_fingerprint to its SHA-256; "
        "redfish_verify_ca=false trusts anybody."
    )
    return BMCCertificate(message, details={"reason": error.verify_message})
