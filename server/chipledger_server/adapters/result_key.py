"""The key that the collector signs attestation results with: an ES256 key in a PEM file.

It is the collector's own word that it signs, so it is never made in passing: a key that somebody
relies on must not be replaced because a file was not found.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from chipledger_evidence.keys import SoftwareSigner
from chipledger_server.domain.codes import Code, ServerError


def new_result_key() -> bytes:
    """Return a new private key, PKCS #8 in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_result_key(path: Path) -> SoftwareSigner | None:
    """Return what signs results, or None where there is no file.

    Raises:
        ServerError: `invalid-configuration`: the file cannot be read, or holds no P-256 key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ServerError(
            Code.INVALID_CONFIGURATION,
            f"the result key {path} cannot be used: {error}",
            hint="give the file that `init` or `result-key create` made",
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ServerError(
            Code.INVALID_CONFIGURATION,
            f"the result key {path} is not a key on P-256",
            hint="give the file that `init` or `result-key create` made",
        )
    return SoftwareSigner(key)
