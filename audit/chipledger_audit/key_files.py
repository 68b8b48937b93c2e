"""A party's private key in a file of its own: PEM, readable by its owner alone."""

import os
import stat
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from chipledger_audit.gpu_files import FilesError
from chipledger_evidence.keys import SoftwareSigner

Kind = Literal["ed25519", "es256"]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MOST_BYTES: Final = 64 * 1024


def create_key(path: Path, kind: Kind, *, passphrase: bytes | None) -> SoftwareSigner:
    """Make a key, durable in a new file of mode 0600, and return its signer.

    Raises:
        OSError: the file exists, or cannot be written; a key is never overwritten.
    """
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    lock = (
        serialization.NoEncryption()
        if passphrase is None
        else serialization.BestAvailableEncryption(passphrase)
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return SoftwareSigner(key)


def load_key(path: Path, *, passphrase: bytes | None) -> SoftwareSigner:
    """Return the signer of the key in a file.

    Raises:
        FilesError: others may read it, or it holds no usable key, or the passphrase is wrong.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & _OTHERS:
            raise FilesError(f"{path} is no secret: others may read it; chmod 0600, or a new key")
        data = file.read(_MOST_BYTES)
    try:
        key = serialization.load_pem_private_key(data, password=passphrase)
    except TypeError as error:  # the library's word for: it is locked and no passphrase was given
        text = "is locked: --passphrase-file" if passphrase is None else "is not locked"
        raise FilesError(f"{path} {text}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FilesError(f"{path} holds no key, or the passphrase is wrong") from error
    if isinstance(key, ed25519.Ed25519PrivateKey) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
    ):
        return SoftwareSigner(key)
    raise FilesError(f"{path} holds another kind of key than P-256 or Ed25519")


def read_passphrase(path: Path | None) -> bytes | None:
    """Return the passphrase in the first line of a file, None without a file.

    Raises:
        FilesError: the file is empty.
        OSError: it cannot be read.
    """
    if path is None:
        return None
    line = path.read_bytes().split(b"\n", 1)[0]
    if not line:
        raise FilesError(f"{path} holds no passphrase")
    return line
