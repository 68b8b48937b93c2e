"""What hosts' TPMs say of themselves: whether a quote is theirs, and whether time runs forward.

A TPM counts its resets and restarts and has a clock of its own, and none of the three goes back
while its keys live. So a host whose newer report carries an older time has two TPMs with the
same keys, which a chip cannot and a copied virtual machine can.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from chipledger_evidence.codec import Wire
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.ids import Digest
from chipledger_evidence.inventory import Count
from chipledger_evidence.tpm.attest import Attest, TpmClock
from chipledger_evidence.tpm.public import parse_public
from chipledger_evidence.tpm.quote import check_claim
from chipledger_server.domain.findings import Kind
from chipledger_server.domain.hosts import HostState, LoggedToken
from chipledger_server.usecases.sequencing.noting import Noting

UNSAVED_MS: Final = 1 << 22
"""How much of its clock a TPM may forget when it loses power (part 1, section 36.3.2): 70 min."""


MOST_UNQUOTED_MS: Final = 3 * 86_400_000
"""Age of a host's newest quote of a boot above which another is missed."""


class QuotedClock(Wire, frozen=True, kw_only=True):
    """What the quote of a host's newest token that had one said of time.

    Attributes:
        at: Unix milliseconds of the token's arrival.
        bootseed: the boot that the token speaks of.
        clock_ms: the TPM's clock.
        key: which attestation key of the host quoted, the first one 0.
        resets: its reset counter.
        restarts: its restart counter.
        seq: the token's place in the chain.
        v: version of this format.
    """

    at: Count
    bootseed: Digest
    clock_ms: Count
    key: Count
    resets: Count
    restarts: Count
    seq: Count
    v: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationKey:
    """A key with which a host's TPM quotes.

    Attributes:
        area: its public area.
        ek: SHA-256 of the endorsement key of its TPM.
        code_hash: the code that let it in, or let in the key that it follows by rotation.
    """

    area: bytes
    ek: bytes
    code_hash: bytes

    def continues(self, other: "AttestationKey") -> bool:
        """Tell whether both are of one TPM that was not cleared in between.

        A rotation takes the key before, which a cleared TPM has lost, so the counters go on. A
        replacement, which has a code of its own, is how a cleared TPM comes back: clearing takes
        them to zero (part 3, TPM2_Clear).
        """
        return (self.ek, self.code_hash) == (other.ek, other.code_hash)


class QuoteStore(Protocol):
    """What is kept of hosts' TPMs."""

    def attestation_keys(self, host: str, at_ms: int) -> Sequence[AttestationKey]:
        """Return the attestation keys that a host had by then, oldest first."""
        ...

    def in_tpm(self, host: str, at_ms: int) -> bool:
        """Tell whether the newest key that a host had by then is in a TPM."""
        ...

    def quoted(self, host: str) -> QuotedClock | None:
        """Return what a host's TPM said newest."""
        ...

    def put_quoted(self, host: str, clock: QuotedClock) -> None:
        """Keep what a host's TPM said."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoting:
    """Looks at the quotes in tokens.

    Attributes:
        kept: what earlier quotes said.
        noting: where findings go.
    """

    kept: QuoteStore
    noting: Noting

    def apply(self, host: HostState, token: LoggedToken) -> None:
        """Check the quote in a token, and hold it against the one before."""
        keys = self.kept.attestation_keys(host.id, token.received_ms)
        found = _attest(keys, token)
        if isinstance(found, str):
            self.noting.event(host, Kind.TPM_QUOTE_REFUSED, token, {"why": found})
            return
        key, attest = found
        said = _clock(attest.clock, key, token)
        before = self.kept.quoted(host.id)
        if before is not None and _continued(keys, before.key, said.key):
            earlier, later = sorted((before, said), key=lambda clock: clock.seq)
            sign = _backward(earlier, later)
            if sign:
                self.noting.event(host, Kind.HOST_KEY_CLONED, token, {"signs": [sign]})
        if before is None or said.seq > before.seq:
            self.kept.put_quoted(host.id, said)
            self.noting.condition(host, Kind.TPM_QUOTE_MISSING, token, None)

    def missed(self, host: HostState, token: LoggedToken) -> None:
        """Look whether a full report without a quote should have had one.

        A host quotes with the first report of every boot, and daily.
        """
        if not self.kept.in_tpm(host.id, token.received_ms):
            return
        newest = self.kept.quoted(host.id)
        if (
            newest is not None
            and newest.bootseed == token.claims.bootseed
            and token.received_ms - newest.at <= MOST_UNQUOTED_MS
        ):
            return
        detail = {"newest_ms": None if newest is None else newest.at}
        self.noting.condition(host, Kind.TPM_QUOTE_MISSING, token, detail)


def _attest(keys: Sequence[AttestationKey], token: LoggedToken) -> tuple[int, Attest] | str:
    """Return which key quoted, and what; or why it is none of the host's."""
    why = "the host has no attestation key"
    for number, key in reversed(list(enumerate(keys))):
        try:
            return number, check_claim(token.claims, parse_public(key.area))
        except EvidenceError as error:
            why = str(error)
    return why


def _continued(keys: Sequence[AttestationKey], one: int, other: int) -> bool:
    if one == other:
        return True
    return max(one, other) < len(keys) and keys[one].continues(keys[other])


def _clock(clock: TpmClock, key: int, token: LoggedToken) -> QuotedClock:
    return QuotedClock(
        at=token.received_ms,
        bootseed=token.claims.bootseed,
        clock_ms=clock.clock_ms,
        key=key,
        resets=clock.reset_count,
        restarts=clock.restart_count,
        seq=token.claims.seq,
    )


def _backward(earlier: QuotedClock, later: QuotedClock) -> str:
    """Return what of the later report's time is older than the earlier report's, or nothing."""
    started, again = (earlier.resets, earlier.restarts), (later.resets, later.restarts)
    if again < started:
        return (
            f"report {later.seq} is from start {again[0]}.{again[1]} of the TPM,"
            f" report {earlier.seq} before it from start {started[0]}.{started[1]}"
        )
    allowed_ms = UNSAVED_MS if again > started else 0
    if later.clock_ms + allowed_ms < earlier.clock_ms:
        return (
            f"the TPM's clock went from {earlier.clock_ms} ms in report {earlier.seq}"
            f" to {later.clock_ms} ms in report {later.seq}"
        )
    return ""
