"""What the sequencer knows of one host while it applies tokens."""

from dataclasses import dataclass, field

from chipledger_evidence.claims import AnyClaims, SealedReport
from chipledger_evidence.nonce import Freshness
from chipledger_server.domain.chain import Chain
from chipledger_server.domain.findings import Kind
from chipledger_server.domain.odometers import Odometers
from chipledger_server.domain.traits import Traits


@dataclass(slots=True, kw_only=True)
class LoggedToken:
    """An accepted token in its place in the log.

    Attributes:
        pos: its position among tokens.
        host: number of its host.
        token: its identity.
        identity: the same as 32 bytes.
        claims: what it says.
        freshness: what its echo proved on arrival.
        received_ms: when it arrived.
    """

    pos: int
    host: int
    token: str
    identity: bytes
    claims: AnyClaims | SealedReport
    freshness: Freshness
    received_ms: int


@dataclass(slots=True, kw_only=True)
class HostState:
    """A host as of the newest applied token.

    Attributes:
        num: its number in this database.
        id: its id.
        site: its site.
        enrolled_ms: when it was enrolled.
        chain: where its chain stands.
        head: identity of the chain's head as 32 bytes, or None before the first token.
        received_ms: newest arrival of any token.
        fresh_ms: newest arrival of a fresh token.
        fresh_seq: place of that token in the chain.
        inv: inventory that it named.
        held: inventory whose chips it holds: that of its newest scan that did not fail.
        run: the running run of fresh sightings of `inv`, or None.
        silent_since_ms: set while the host is silent.
        back_ms: when it last came back from silence.
        signed_ms: when that of its chips which can sign showed it that did so longest ago.
        chips: chips it says it holds.
        placed: whether it is known that any of them has a place in the ledger.
        rivals: other hosts that say they hold some of these, and no dispute over them is open.
        open: open findings about this host.
        odometers: what its chips' odometers last stood at; read again when it is needed.
        models: which edition of the catalogue its models were named by, or None.
        traits: what its newest inventory is compared by; read again when it is needed.
        changed: not yet written.
    """

    num: int
    id: str
    site: str
    enrolled_ms: int
    chain: Chain = field(default_factory=Chain)
    head: bytes | None = None
    received_ms: int | None = None
    fresh_ms: int | None = None
    fresh_seq: int = 0
    inv: str | None = None
    held: str | None = None
    run: int | None = None
    silent_since_ms: int | None = None
    back_ms: int | None = None
    signed_ms: int | None = None
    chips: frozenset[int] = frozenset()
    placed: bool = False
    rivals: dict[str, set[int]] = field(default_factory=dict)
    open: dict[Kind, str] = field(default_factory=dict)
    odometers: Odometers | None = None
    traits: Traits | None = None
    models: str | None = None
    changed: bool = False
