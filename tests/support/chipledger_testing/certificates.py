"""Certificates for loopback, made on the spot."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
_UNTIL = datetime(2099, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate with its key, in files.

    Attributes:
        certificate: the certificate alone, PEM.
        key: its private key, PEM.
        parsed: the certificate.
    """

    certificate: Path
    key: Path
    parsed: x509.Certificate

    def server_context(self) -> ssl.SSLContext:
        """Return a context that serves with it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def digest(self) -> str:
        """Return SHA-256 of the certificate, hex."""
        return self.parsed.fingerprint(hashes.SHA256()).hex()

    def key_digest(self) -> str:
        """Return SHA-256 of the public key (SPKI), hex."""
        digest = hashes.Hash(hashes.SHA256())
        digest.update(
            self.parsed.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        return digest.finalize().hex()


def certificate_for(folder: Path, name: str, *, address: str = "127.0.0.1") -> Certificate:
    """Make a certificate for `address`, issued by an authority that nobody trusts."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    parsed = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(f"authority of {name}"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_SINCE)
        .not_valid_after(_UNTIL - timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(parsed.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return Certificate(certificate=paths[0], key=paths[1], parsed=parsed)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
