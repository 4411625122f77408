"""Certificates for servers of tests: signed by themselves, for 127.0.0.1, made anew each time."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificate:
    path: Path
    """PEM; also what verifies it."""
    key_path: Path
    fingerprint: str
    """SHA-256 of the DER."""


def make_certificate(folder: Path, *, host: str = "127.0.0.1", days: int = 7) -> Certificate:
    """Make one that is valid for so many days; -1: it expired yesterday."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    ends = datetime.now(UTC) + timedelta(days=days)
    usage = x509.BasicConstraints(ca=True, path_length=None)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=30))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    path, key_path = folder / "bmc.pem", folder / "bmc.key"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = serialization.NoEncryption()
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret),
    )
    der = made.public_bytes(serialization.Encoding.DER)
    return Certificate(path, key_path, hashlib.sha256(der).hexdigest())
