"""What arrived and was verified, on its way to the writer, and what became of it."""

from dataclasses import dataclass

from chipledger_evidence.claims import AnyClaims, SealedReport
from chipledger_evidence.nonce import Freshness
from chipledger_server.domain.codes import ServerError
from chipledger_server.domain.packing import Form


@dataclass(slots=True, kw_only=True)
class CarriedInventory:
    """An inventory on its way into the store.

    Attributes:
        digest: its SHA-256.
        provider: who answered for NVML, as it says.
        body: its bytes, packed.
    """

    digest: bytes
    provider: str
    body: bytes


@dataclass(slots=True, kw_only=True)
class Arrival:
    """A verified token with all that its row needs.

    Attributes:
        host: number of its host in this database.
        key: number of its key.
        token: identity as text.
        identity: the same as 32 bytes.
        claims: what it says.
        freshness: what its echo proved on arrival.
        received_ms: when it arrived.
        form: how `payload` is packed.
        base: position of the token it is packed against.
        text: payload without the inventory, as later ones may be packed against.
        payload: packed exact bytes.
        signature: as received.
        salt: 16 random bytes.
        leaf: leaf hash of its log entry.
        nonce: a challenge it uses up, or None.
        inventory: an inventory carried for the first time, or None.
        blobs: digests and bytes of evidence that travelled beside it; packed before it is stored.
        pos: given by the writer.
    """

    host: int
    key: int
    token: str
    identity: bytes
    claims: AnyClaims | SealedReport
    freshness: Freshness
    received_ms: int
    form: Form
    base: int | None
    text: bytes
    payload: bytes
    signature: bytes
    salt: bytes
    leaf: bytes
    nonce: bytes | None
    inventory: CarriedInventory | None
    blobs: tuple[tuple[bytes, bytes], ...]
    pos: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAnswer:
    """What was answered when this token was stored for the first time."""

    received_ms: int
    freshness: Freshness
    leaf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A report refused after its key was known, for the finding."""

    host: str
    kid: str
    token: bytes
    code: str
    detail: str
    received_ms: int


NEW = None
"""Outcome: the token is durable, and this was its first time."""

SPENT = "spent"
"""Outcome: another token has used its challenge."""

Outcome = FirstAnswer | ServerError | str | None
"""What became of an arrival: `NEW`, `SPENT`, its first answer, or why it could not be stored."""
