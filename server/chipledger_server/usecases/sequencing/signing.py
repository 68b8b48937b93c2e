"""What chips signed, folded: their names, their grade, and where they contradict the host.

A result of the log goes in; aliases, signatures and findings come out. The certificate names the
chip. A signature raises the grade of a line of the host's own inventory and of nothing else:
a chip that signs and is not listed is one that the host hides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from chipledger_evidence.appraisal.appraise import as_received, chip_signed
from chipledger_evidence.appraisal.policy import AppraisalPolicy
from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.gpu.errors import GpuCode
from chipledger_evidence.gpu.facts import EvidenceFacts, Level, level
from chipledger_evidence.gpu.result import EvidenceResult, Piece
from chipledger_evidence.gpu.witness import Witness, WitnessResult, cross_witness
from chipledger_server.domain.crosscheck import Line, State
from chipledger_server.domain.dies import contradictions
from chipledger_server.domain.findings import MOST_LISTED, Kind
from chipledger_server.domain.hosts import HostState, LoggedToken
from chipledger_server.usecases.sequencing.holdings import Holdings
from chipledger_server.usecases.sequencing.noting import Noting
from chipledger_server.usecases.sequencing.store import SequenceStore

_BMC: Final = "bmc-"
"""How codes begin that tell where the management controller and the driver differ."""

_NVML_LISTS: Final = frozenset({State.READ, State.LOST, State.UNCONFIRMED})
_BY_SWITCH: Final = "A switch's signed list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A chip that has signed before, and the host that claims it now.

    Attributes:
        chip: the chip.
        since_ms: when the host began to owe a signature: when its claim began, however often it
            gave the chip up since for less time than a signature counts.
        signed_ms: when its newest signature from this host arrived, if any did.
    """

    chip: int
    since_ms: int
    signed_ms: int | None

    @property
    def known_ms(self) -> int:
        """When it last showed what it can, or had its first chance to on this host."""
        return self.since_ms if self.signed_ms is None else max(self.signed_ms, self.since_ms)


class Rounds(Protocol):
    """Where the newest round of each host is kept."""

    def keep(self, host: str, token: LoggedToken) -> None:
        """Keep a token with evidence, or with why there is none, as the host's newest round."""
        ...


class SignatureStore(Protocol):
    """Where signatures of chips are kept."""

    def listed(self, inventory: str, host: str) -> Sequence[tuple[Line, int | None]] | None:
        """Return the resolved lines of an inventory that a host has shown, else None.

        Where its scan failed, those that the host still holds follow, at no place (-1).
        """
        ...

    def models(
        self, chip: int, host: str, since_ms: int
    ) -> Sequence[tuple[str | None, str | None]]:
        """Return PCI device and name of every model that a host listed a chip as.

        Since its signature before this one, or since a time where that is the first.
        """
        ...

    def sign(self, chip: int, host: str, at_ms: int, *, token: bytes, lifetime_ms: int) -> None:
        """Note that a chip signed on a host: goes on with a run of signatures or begins one."""
        ...

    def device_key(self, chip: int, rot: str) -> bytes | None:
        """Return the digest of the factory key that a chip first signed under, or None."""
        ...

    def put_device_key(self, chip: int, rot: str, key: bytes, at_ms: int) -> None:
        """Keep the digest of the factory key that a chip first signed under."""
        ...

    def expected(self, host: str, lifetime_ms: int) -> Iterable[Expected]:
        """Return the chips that a host claims and that have signed, on it or elsewhere."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Applies results.

    Attributes:
        store: state of hosts and chips.
        signatures: who signed what where.
        rounds: the newest round of each host.
        noting: where findings go.
        holdings: who says to hold which chip.
        policy: what is a chip's own statement, and how long it keeps its grade.
    """

    store: SequenceStore
    signatures: SignatureStore
    rounds: Rounds
    noting: Noting
    holdings: Holdings
    policy: AppraisalPolicy

    @property
    def lifetime_ms(self) -> int:
        """How long a signature keeps its grade, milliseconds."""
        return self.policy.evidence_lifetime_ms

    def answered(self, host: HostState, token: LoggedToken) -> None:
        """Keep a round, and note what the host itself says of its management controller."""
        self.rounds.keep(host.id, token)
        differences = [
            f"{reason.code}: {reason.detail or 'no detail'}"
            for reason in token.claims.no_evidence
            if reason.code.startswith(_BMC)
        ]
        detail = {"differences": differences[:MOST_LISTED]} if differences else None
        self.noting.condition(host, Kind.BMC_DIFFERS, token, detail)

    def apply(self, host: HostState, result: EvidenceResult) -> None:
        """Take up what a round's evidence showed."""
        listed = self.signatures.listed(result.inv, host.id)
        round_ = _Round(result=result, listed=listed or ())
        for piece in result.pieces:
            witness = level(piece.facts) is Level.WITNESS
            if chip_signed(as_received(piece.facts, result.received), self.policy):
                self._signed(host, piece, round_)
            elif piece.chip is not None or not witness:
                round_.refused.append(_refused(piece, witness=witness))
        if listed is not None:  # else nobody knows yet what the host lists
            self._look_for_hidden(host, round_)
        self._note(host, round_)
        self.holdings.signed(host, round_.chips, result.received)
        self.expect(host)
        rivals = {one.id for chip in round_.chips for one in self.store.claimants(chip, host.id)}
        for rival in sorted(rivals):  # from now on they are expected to show as much
            self.expect(self.store.host_named(rival))
        if Kind.GRADE_DROP in host.open:
            self.look(host, start=result.token, at_ms=result.received)

    def expect(self, host: HostState) -> None:
        """Learn anew which of a host's chips that can sign showed it longest ago."""
        known = [one.known_ms for one in self._expected(host)]
        host.signed_ms = min(known, default=None)

    def _expected(self, host: HostState) -> Iterable[Expected]:
        return self.signatures.expected(host.id, self.lifetime_ms)

    def sighted(self, host: HostState, token: LoggedToken) -> None:
        """Look whether chips still show what they once showed; a fresh token has come."""
        if Kind.GRADE_DROP in host.open or (
            host.signed_ms is not None and token.received_ms - host.signed_ms > self.lifetime_ms
        ):
            self.look(host, start=token.token, at_ms=token.received_ms)

    def look(self, host: HostState, *, start: str, at_ms: int) -> None:
        """Open or resolve the finding of chips that fell below what they once showed.

        A host that comes back from silence has the policy's grace for its first round.
        """
        back_ms = host.back_ms
        if (
            Kind.GRADE_DROP not in host.open
            and back_ms is not None
            and at_ms - back_ms < self.policy.evidence_grace_ms
        ):
            return
        fallen = [one for one in self._expected(host) if at_ms - one.known_ms > self.lifetime_ms]
        detail = None
        if fallen:
            oldest = min(one.known_ms for one in fallen)
            detail = {
                "chips": [f"chip {one.chip}" for one in fallen[:MOST_LISTED]],
                "count": len(fallen),
                "last_ms": oldest,
                "lifetime_ms": self.lifetime_ms,
            }
        self.noting.state(host, Kind.GRADE_DROP, start, at_ms=at_ms, detail=detail)

    def _signed(self, host: HostState, piece: Piece, round_: "_Round") -> None:
        """Find the line that a chip's signature stands for, and keep it."""
        facts, at_ms = piece.facts, round_.result.received
        pdi = facts.pdi or ""
        found = _line_of(pdi, piece.chip, round_.listed)
        if found is None:
            return  # the witnesses say so: a chip that signs and is not listed is hidden
        line, chip = found
        if line.pdi is not None and line.pdi != pdi:
            round_.mismatched.append(f"{line.pdi} by the driver, {pdi} by certificate")
            return
        wrong = contradictions(facts, device=line.device, name=line.name)
        round_.mismatched.extend(f"{pdi}: {words}" for words in wrong)
        if not self._is_named(host, line, chip, pdi=pdi, round_=round_):
            return
        for device, name in self.signatures.models(chip, host.id, at_ms - self.lifetime_ms):
            if (device, name) != (line.device, line.name):
                told = contradictions(facts, device=device, name=name)
                round_.mismatched.extend(f"{pdi}, before it signed: {words}" for words in told)
        if wrong or not self._same_key(chip, facts, round_):
            return
        token = b64url_decode(round_.result.token)
        self.signatures.sign(chip, host.id, at_ms, token=token, lifetime_ms=self.lifetime_ms)
        round_.chips.add(chip)

    def _is_named(
        self, host: HostState, line: Line, chip: int, *, pdi: str, round_: "_Round"
    ) -> bool:
        """Tell whether a certificate names the chip of a line; a chip without a PDI learns it.

        That a line is this device is then only the host's word, so it neither gives a chip a
        second PDI nor names one that somebody else holds as well.
        """
        named = self.store.aliases([("pdi", pdi)]).get(("pdi", pdi))
        if named == chip:
            return True
        known = self.store.aliases_of(chip, "pdi")
        if named is None and not known:
            rivals = self.store.claimants(chip, host.id)
            if any(rival.silent_since_ms is None for rival in rivals):
                return False
            self.store.learn("pdi", pdi, chip, round_.result.received)
            return True
        other = "not its own" if named is None else f"chip {named}"
        round_.changed.append(
            f"{line.uuid or 'a chip'} was chip {chip}; its certificate says PDI {pdi}, which is"
            f" {other}"
        )
        return False

    def _pdi(self, line: Line, chip: int | None) -> str | None:
        """Return the PDI of a line: the driver's word, else what certificates have taught us."""
        if line.pdi or chip is None:
            return line.pdi
        return next(iter(sorted(self.store.aliases_of(chip, "pdi"))), None)

    def _same_key(self, chip: int, facts: EvidenceFacts, round_: "_Round") -> bool:
        rot, key = facts.rot, facts.l4_key
        if rot is None or key is None:
            return True
        kept = self.signatures.device_key(chip, rot)
        if kept is None:
            at_ms = round_.result.received
            self.signatures.put_device_key(chip, rot, b64url_decode(key), at_ms)
        elif kept != b64url_decode(key):
            round_.changed.append(f"PDI {facts.pdi} signs under another factory key ({rot})")
            return False
        return True

    def _look_for_hidden(self, host: HostState, round_: "_Round") -> None:
        """Hold what devices name against what the host lists.

        Only they can take back that a chip is hidden: they agree, and it is listed now, or all
        the switches that named it speak again and name it no more.
        """
        pdis = [self._pdi(line, chip) for line, chip in round_.listed if line.state in _NVML_LISTS]
        witness = cross_witness([piece.facts for piece in round_.result.pieces], pdis)
        hidden = _hidden(witness)
        if hidden is None and witness.outcome is not Witness.AGREE:
            return
        open_ = host.open.get(Kind.HIDDEN_CHIP)
        before = None if open_ is None else self.store.finding_detail(open_)
        if before is not None:
            named_again = bool(before["switches"]) and set(before["switches"]) <= {
                *witness.switches
            }
            if left := () if named_again else sorted(set(before["chips"]) - {*pdis}):
                hidden = _both(hidden, before, left)
        self._state(host, Kind.HIDDEN_CHIP, round_, hidden)

    def _note(self, host: HostState, round_: "_Round") -> None:
        if round_.mismatched or round_.chips:
            differences = {"differences": round_.mismatched[:MOST_LISTED]}
            self._state(
                host, Kind.CERT_NVML_MISMATCH, round_, differences if round_.mismatched else None
            )
        if round_.refused:
            first = {**round_.refused[0], "count": len(round_.refused)}
            self._occurred(host, Kind.EVIDENCE_REFUSED, round_, first)
        if round_.changed:
            changes = {"changes": round_.changed[:MOST_LISTED]}
            self._occurred(host, Kind.IDENTITY_CHANGED, round_, changes)

    def _state(
        self, host: HostState, kind: Kind, round_: "_Round", detail: Mapping[str, Any] | None
    ) -> None:
        start, at_ms = round_.result.token, round_.result.received
        self.noting.state(host, kind, start, at_ms=at_ms, detail=detail)

    def _occurred(
        self, host: HostState, kind: Kind, round_: "_Round", detail: Mapping[str, Any]
    ) -> None:
        start, at_ms = round_.result.token, round_.result.received
        self.noting.occurred(host, kind, start, at_ms=at_ms, detail=detail)


class _Round:
    """What one round comes to while it is applied."""

    def __init__(
        self, *, result: EvidenceResult, listed: Sequence[tuple[Line, int | None]]
    ) -> None:
        self.result = result
        self.listed = listed
        self.chips: set[int] = set()
        self.refused: list[dict[str, Any]] = []
        self.mismatched: list[str] = []
        self.changed: list[str] = []


def _line_of(
    pdi: str, hint: int | None, listed: Sequence[tuple[Line, int | None]]
) -> tuple[Line, int] | None:
    """Return the line that bears a PDI, else the one the host says it is."""
    lines: Mapping[int, tuple[Line, int]] = {
        line.place: (line, chip) for line, chip in listed if chip is not None
    }
    for line, chip in lines.values():
        if line.pdi == pdi:
            return line, chip
    return None if hint is None else lines.get(hint)


def _refused(piece: Piece, *, witness: bool) -> dict[str, Any]:
    """Return why a statement proves nothing, for a finding."""
    which = "a switch" if piece.chip is None else f"device {piece.chip}"
    if witness:
        what = f"{which}: {piece.facts.device_class} evidence was given for a chip"
        return {"code": GpuCode.NOT_A_GPU.value, "what": what}
    failure = piece.facts.failure or next(iter(piece.facts.reasons), None)
    if failure is None:
        return {"code": GpuCode.NOT_JUDGED.value, "what": f"{which}: nothing could be checked"}
    return {"code": failure.code.value, "what": f"{which}: {failure.detail}"}


def _both(
    new: Mapping[str, Any] | None, before: Mapping[str, Any], left: Sequence[str]
) -> dict[str, Any]:
    """Return hidden chips of this round and, after them, those of earlier ones that are left."""
    if new is None:
        return {**before, "chips": list(left)}
    chips = dict.fromkeys([*new["chips"], *left])
    switches = dict.fromkeys([*new["switches"], *before["switches"]])
    witness = max(new["witness"], before["witness"], key=lambda words: words == _BY_SWITCH)
    return {
        "chips": list(chips)[:MOST_LISTED],
        "witness": witness,
        "switches": list(switches)[:MOST_LISTED],
    }


def _hidden(witness: WitnessResult) -> dict[str, Any] | None:
    """Return the chips that others name and the host does not, for a finding."""
    if witness.outcome is not Witness.HIDDEN_CHIP:
        return None
    named = any(chip.named_by for chip in witness.hidden)
    return {
        "chips": [chip.pdi for chip in witness.hidden[:MOST_LISTED]],
        "witness": _BY_SWITCH if named else "A signature of its own",
        "switches": sorted({pdi for chip in witness.hidden for pdi in chip.named_by})[:MOST_LISTED],
    }
