"""What a machine, or the way to it, did not do."""

from castiron.transport.errors.base import CastironError
from castiron.transport.vocabulary import Retry, Source


class BMCError(CastironError):
    """The machine's BMC, or the way to it. details: node, address, and completion_code where the BMC gave one."""

    source = Source.BMC
    retry = Retry.LATER


class BMCUnreachable(BMCError):
    """No answer before the deadline."""

    code = "bmc.unreachable"


class BMCCredentials(BMCError):
    """The BMC refused the user name, the password, the privilege level or the cipher suite."""

    code = "bmc.credentials"
    retry = Retry.NEVER


class BMCCertificate(BMCError):
    """The BMC's certificate is not one to trust: unknown, expired, another host's, or not the pinned one.

    details: reason, or fingerprint, the SHA-256 of the one that was shown.
    """

    code = "bmc.certificate"
    retry = Retry.NEVER


class BMCUnsupported(BMCError):
    """The BMC does not know the command, or not in this state (0xC1, 0xC9, 0xCC, 0xD5, 0xD6)."""

    code = "bmc.unsupported"
    retry = Retry.NEVER


class BMCBusy(BMCError):
    """The BMC is busy or out of session slots (0xC0, 0xC3, 0xC4, 0xCE, 0xD2; RMCP+ status 0x01)."""

    code = "bmc.busy"


class BMCFault(BMCError):
    """Any other completion code, or an answer that makes no sense."""

    code = "bmc.fault"


class PowerStateUnconfirmed(CastironError):
    """The power state did not become the wanted one in time. details: node, wanted, power_state."""

    code = "power.unconfirmed"
    source = Source.BMC
    retry = Retry.LATER


class DeadlineExceeded(CastironError):
    """The request's own time ran out. details: deadline_at."""

    code = "deadline.exceeded"
    retry = Retry.LATER
