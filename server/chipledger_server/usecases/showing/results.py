"""A host and its chips, appraised: what an attestation result of the host says.

Made from what is stored, at the two times of the question, by the policy and the settling that
every screen follows: a result never says more, or less, of a chip than the page of its host.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from chipledger_evidence.appraisal.appraise import (
    PASS,
    ChipFacts,
    ReceivedEvidence,
    SelfReport,
    appraise,
    as_received,
    chip_signed,
)
from chipledger_evidence.appraisal.ear import HOST_LABEL, NONCE_BYTES, Issue, write_ear
from chipledger_evidence.appraisal.grades import Grade
from chipledger_evidence.appraisal.policy import AppraisalPolicy
from chipledger_evidence.appraisal.results import ChipResult, HostResult, KeyStanding
from chipledger_evidence.codec import b64url_decode, b64url_encode
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.gpu.result import EvidenceResult
from chipledger_evidence.ids import HostId, SiteId
from chipledger_evidence.inventory import Inventory
from chipledger_evidence.keys import Signer
from chipledger_server.usecases.physical import Reading, Settled, Standing
from chipledger_server.usecases.reading import HostFacts, HostLife, When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.sequencing.holdings import incomplete
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.hosts import devices, host_facts, settled_on
from chipledger_server.usecases.views import Device, HostKey

_PLACE = "place-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """How attestation results are issued.

    Attributes:
        build: name and version of the software that judges.
        signer: what signs them, or None: there is no key, and nothing is signed.
    """

    build: str
    signer: Signer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of the chips of a host.

    Attributes:
        tier: what holds the host's key.
        inventory: digest of its newest inventory, as results name it.
        rounds: its judged rounds in which evidence may still count, newest first.
        signers: chips that have ever signed.
    """

    tier: KeyTier
    inventory: str | None
    rounds: Sequence[EvidenceResult]
    signers: frozenset[int]


def demand_signer(signer: Signer | None) -> Signer:
    """Return what signs results.

    Raises:
        Refusal: `no-result-key`.
    """
    if signer is None:
        raise Refusal(
            Code.NO_RESULT_KEY,
            "this collector has no key to sign results with",
            hint="the administrator makes one: `chipledger-server result-key create`, and starts"
            " the collector again",
        )
    return signer


def signed_result(
    look: Look, host: str, results: Results, *, now_ms: int, nonce: str | None
) -> str:
    """Return the attestation result of a host, a signed JWT.

    Args:
        look: the database, the times and the reader.
        host: the host.
        results: how results are issued.
        now_ms: the time of issue.
        nonce: base64url of 8 to 64 bytes of whoever asks, or None.

    Raises:
        Refusal: `no-result-key`; `invalid-parameter`: no such nonce; `unknown-host`.
    """
    signer = demand_signer(results.signer)
    issue = Issue(at_s=now_ms // 1000, build=results.build, nonce=_nonce(nonce))
    return write_ear(host_result(look, host), look.measure.appraisal, issue=issue, signer=signer)


def _nonce(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        nonce = b64url_decode(text)
    except EvidenceError:
        nonce = b""
    if len(nonce) not in NONCE_BYTES:
        raise Refusal(
            Code.INVALID_PARAMETER,
            "nonce: not base64url, without padding, of 8 to 64 bytes",
            hint="for example 16 random bytes",
        )
    return nonce


def host_result(look: Look, host: str) -> HostResult:
    """Return a host and its chips, appraised.

    Raises:
        Refusal: `unknown-host`, also for a host of a site the reader may not see.
    """
    facts = host_facts(look, host)
    life = look.snapshot.host_life(host, look.when)
    inventory = None if facts.inventory is None else look.snapshot.inventory(facts.inventory)
    tier, standing = _key(look.snapshot.keys(host, look.when), life, look.when)
    return HostResult(
        host=HostId(facts.id),
        site=SiteId(facts.site),
        tier=tier,
        standing=standing,
        partial=inventory is not None and bool(incomplete(inventory)),
        debug=_debug(inventory),
        test_site=life.test_site,
        chips=tuple(_chips(look, facts, tier)),
        as_of_ms=look.when.as_of_ms,
        known_at_ms=look.when.known_at_ms,
    )


def _key(keys: Sequence[HostKey], life: HostLife, when: When) -> tuple[KeyTier, KeyStanding]:
    """Return what holds the newest key of a host, and what became of it."""
    at_ms = when.seen_until_ms
    newest = next((key for key in reversed(keys) if key.enrolled_ms <= at_ms), None)
    if newest is None:
        return KeyTier.SOFTWARE, KeyStanding.UNKNOWN
    standing = KeyStanding.ENROLLED
    if life.retired:
        standing = KeyStanding.RETIRED
    elif newest.revoked_ms is not None and newest.revoked_ms <= at_ms:
        standing = KeyStanding.REVOKED
    return KeyTier(newest.tier), standing


def _debug(inventory: Inventory | None) -> bool:
    return inventory is not None and bool(inventory.driver.confidential_devtools)


def _chips(look: Look, facts: HostFacts, tier: KeyTier) -> Iterator[ChipResult]:
    """Yield the chips of a host; a device that is no chip of its own is none."""
    own = [one for one in settled_on(look, facts) if one.claim.reading is not Reading.NOT_PHYSICAL]
    policy = look.measure.appraisal
    since_ms = look.when.seen_until_ms - policy.evidence_lifetime_ms
    known = _Known(
        tier=tier,
        inventory=None if facts.inventory is None else b64url_encode(facts.inventory),
        rounds=look.snapshot.judged_rounds(facts.id, look.when, since_ms=since_ms),
        signers=look.snapshot.ever_signed(
            {one.claim.chip for one in own if one.claim.chip is not None}, look.when
        ),
    )
    taken: set[str] = set()
    for one, device in zip(own, devices(look, own), strict=True):
        label = _label(device, taken)
        taken.add(label)
        yield _chip(look, one, known, label=label, pdi=device.pdi)


def _chip(look: Look, one: Settled, known: _Known, *, label: str, pdi: str | None) -> ChipResult:
    policy, disputed = look.measure.appraisal, one.standing is Standing.DISPUTED
    facts = ChipFacts(
        tier=known.tier,
        report=_report(look, one),
        evidence=_accepted(one, policy),
        best=Grade.G3 if one.claim.chip in known.signers else Grade.G0,
        disputed=disputed,
    )
    return ChipResult(
        label=label,
        appraisal=appraise(facts, policy, at_ms=look.when.as_of_ms),
        evidence=_newest(one, known, policy),
        disputed=disputed,
        pdi=pdi,
        place=one.claim.place,
    )


def _report(look: Look, one: Settled) -> SelfReport:
    """Return what the host's driver says of a device, as it was settled."""
    claim, at_ms = one.claim, look.when.as_of_ms
    fresh = claim.reading is Reading.READ and one.standing is not Standing.MOVED
    return SelfReport(
        fresh=fresh and not look.patience().silent(claim.until_ms, at_ms),
        checks_pass=one.standing is not Standing.UNCOUNTED,
        since_ms=claim.since_ms,
    )


def _accepted(one: Settled, policy: AppraisalPolicy) -> ReceivedEvidence | None:
    """Return the newest signature that was laid on this chip of this host."""
    if one.claim.signed_ms is None:
        return None
    return ReceivedEvidence(
        received_ms=one.claim.signed_ms,
        device_class=policy.chip_signed.device_class,
        facts=dict.fromkeys(policy.chip_signed.must_pass, PASS),
    )


def _newest(one: Settled, known: _Known, policy: AppraisalPolicy) -> ReceivedEvidence | None:
    """Return the newest statement of a chip: by its certificate, else by the host's own word.

    What proves nothing names no chip; it is the place in the inventory that the host gave it.
    """
    for round_ in known.rounds:
        for piece in round_.pieces:
            shown = as_received(piece.facts, round_.received, digest=piece.digest)
            if chip_signed(shown, policy):
                mine = piece.facts.pdi is not None and piece.facts.pdi == one.claim.pdi
            else:
                mine = round_.inv == known.inventory and piece.chip == one.claim.place
            if mine:
                return shown
    return None


def _label(device: Device, taken: Collection[str]) -> str:
    """Return what names a chip in the result: UUID, else PDI, else its place.

    The UUID is there before the driver upgrade that brings the PDI, and stays. Both are texts
    of the host: one that is taken, or that is no name of a chip, names nothing.
    """
    name = device.uuid or device.pdi
    if name and name != HOST_LABEL and not name.startswith(_PLACE) and name not in taken:
        return name
    return f"{_PLACE}{device.place}"
