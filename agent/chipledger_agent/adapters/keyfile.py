"""The host's private key and permanent id in files of their own.

Who could lie: root on this host can copy the key; that is what tier ``software`` says. What a
loss costs: a new enrolment with a new key.
"""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from chipledger_agent.adapters.durable import PosixDisk, exposed, storage_failed, write_durably
from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_agent.ports import Entropy
from chipledger_evidence.ids import ueid
from chipledger_evidence.keys import SoftwareSigner

PERMANENT_FILE = "permanent-id"
_PERMANENT_BYTES = 32


def load_signer(path: Path) -> SoftwareSigner:
    """Return the signer of the key in `path`.

    Raises:
        AgentError: `key-missing`, `key-exposed` when others may read it, `key-unreadable`.
    """
    try:
        reason = exposed(path)
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise AgentError(
            AgentCode.KEY_MISSING, f"no key at {path}", hint="run `chipledger-agent enroll`"
        ) from error
    except OSError as error:
        raise AgentError(
            AgentCode.KEY_UNREADABLE, f"{path}: {error.strerror}", hint="run as the agent's user"
        ) from error
    if reason:
        raise AgentError(
            AgentCode.KEY_EXPOSED,
            f"{path} is no secret: {reason}",
            hint="it may have been copied: enrol a new key, or chmod 0600 if you know better",
        )
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AgentError(AgentCode.KEY_UNREADABLE, f"{path} holds no plain PEM key") from error
    if isinstance(key, ed25519.Ed25519PrivateKey) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
    ):
        return SoftwareSigner(key)
    raise AgentError(
        AgentCode.KEY_UNREADABLE, f"{path} holds another kind of key than P-256 or Ed25519"
    )


def create_key(path: Path, *, algorithm: str) -> SoftwareSigner:
    """Make a key, durable in `path` with mode 0600 before anything is told of it.

    Args:
        path: file that must not exist yet.
        algorithm: ``es256`` or ``ed25519``.

    Raises:
        AgentError: `key-exists` or `storage-failed`.
    """
    if path.exists():
        raise AgentError(AgentCode.KEY_EXISTS, f"{path} is there already")
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if algorithm == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(path, pem)
    return SoftwareSigner(key)


def permanent_ueid(folder: Path, entropy: Entropy) -> str:
    """Return this host's `ueid`, from random bytes made once and kept in `folder`.

    Raises:
        AgentError: `storage-failed`, or `state-unreadable` when the file is damaged.
    """
    path = folder / PERMANENT_FILE
    if not path.exists():
        _write(path, entropy.octets(_PERMANENT_BYTES))
    try:
        permanent = path.read_bytes()
    except OSError as error:
        raise storage_failed(error, f"reading {path}") from error
    if len(permanent) != _PERMANENT_BYTES:
        raise AgentError(
            AgentCode.STATE_UNREADABLE,
            f"{path} does not hold {_PERMANENT_BYTES} bytes",
            hint="restore it from a backup; without it this host gets a new identity",
        )
    return ueid("host", permanent)


def _write(path: Path, data: bytes) -> None:
    try:
        write_durably(PosixDisk(path.parent), ".", path.name, data)
    except OSError as error:
        raise storage_failed(error, f"writing {path}") from error
