"""The claims a host signs: two profiles of one EAT (RFC 9711), version 2.

`eat_profile` selects the struct and is a *full* profile: a receiver knows every claim, every
bound and the freshness rule, and refuses anything else. A new claim is a new profile version;
the present and the previous one are read, and :func:`present` says the older in present terms.
"""

from typing import Annotated, overload

import msgspec

from chipledger_evidence.codec import Wire
from chipledger_evidence.ids import Digest, HostName, SiteName, whole
from chipledger_evidence.inventory import MAX_CHIPS, Count, Counters, Inventory, Text

INVENTORY_PROFILE = "tag:chipledger.org,2026:host-inventory#2"
HEARTBEAT_PROFILE = "tag:chipledger.org,2026:host-heartbeat#2"
FORMER_INVENTORY_PROFILE = "tag:chipledger.org,2026:host-inventory#1"
FORMER_HEARTBEAT_PROFILE = "tag:chipledger.org,2026:host-heartbeat#1"
FULL_PROFILES = frozenset({INVENTORY_PROFILE, FORMER_INVENTORY_PROFILE})

Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**40)]


class LogHead(Wire, frozen=True, kw_only=True):
    """The newest checkpoint of the collector's log that this host saw: every host a witness."""

    origin: Text
    root: Digest
    size: Count


class Refused(Wire, frozen=True, kw_only=True):
    """A report the collector refused and the agent put aside, so that it is not forgotten."""

    code: Annotated[str, whole("[a-z][a-z0-9-]{0,63}")]
    seq: Count
    token: Digest


class EvidenceRef(Wire, frozen=True, kw_only=True):
    """Evidence bytes that travel beside the token, named by digest and never re-encoded."""

    bytes: Annotated[int, msgspec.Meta(ge=1, le=256 * 1024)]
    digest: Digest
    kind: Annotated[str, whole("[a-z][a-z0-9.-]{0,63}")]
    chip: Annotated[int, msgspec.Meta(ge=0, lt=MAX_CHIPS)] | None = None


class NoEvidence(Wire, frozen=True, kw_only=True):
    """Why no device signature travels beside a token that was asked for one.

    Attributes:
        code: stable reason code; docs/EVIDENCE.md lists them.
        source: who was asked: ``nvml``, ``corelib``, ``redfish``, or ``none``.
        chip: index of the chip in the inventory; absent when it holds for the whole host.
        detail: the source's own words, shortened.
    """

    code: Annotated[str, whole("[a-z][a-z0-9-]{0,63}")]
    source: Annotated[str, whole("[a-z][a-z0-9-]{0,31}")]
    chip: Annotated[int, msgspec.Meta(ge=0, lt=MAX_CHIPS)] | None = None
    detail: Text | None = None


class TpmQuote(Wire, frozen=True, kw_only=True):
    """A TPM's quote over the claims it stands in (TPM 2.0 part 2, TPMS_ATTEST).

    Attributes:
        attest: base64url of the TPMS_ATTEST; its extraData is SHA-256 of the canonical claims
            without this member.
        pcrs: register number → SHA-256 bank value, those the quote selects.
        signature: base64url of r ‖ s by the attestation key, ES256.
    """

    attest: Annotated[str, whole("[A-Za-z0-9_-]{1,1400}")]
    pcrs: Annotated[
        dict[Annotated[str, whole("[0-9]|1[0-9]|2[0-3]")], Digest], msgspec.Meta(max_length=24)
    ]
    signature: Annotated[str, whole("[A-Za-z0-9_-]{86}")]


class FormerClaims(Wire, frozen=True, kw_only=True, tag_field="eat_profile"):
    """What both profiles of version 1 say, and version 2 says as well.

    Attributes:
        bootseed: SHA-256 of a tag and the kernel's boot id: splits boots, public.
        conflict: two signed checkpoints of one log that do not extend each other.
        counters: odometers of each chip, in the order of the inventory named by `inv`.
        eat_nonce: the 32 bytes of a challenge or of the collector's last epoch value.
        evidence: evidence bytes sent beside this token.
        host: host id given at enrolment.
        iat: host clock, Unix seconds, when collected and signed; never trusted alone.
        inv: digest of the stable inventory.
        log: newest log head seen.
        prev: token id of the token before, `NO_PREVIOUS` for the first.
        refused: reports put aside since the last accepted token.
        resumed: this host lost its chain state and continues from the collector's head.
        seq: 1 for the first token, then one more each.
        site: site id given at enrolment.
        skipped: scans not made or not kept since the last token (full disk, overrun).
        uptime: seconds since boot.
    """

    bootseed: Digest
    eat_nonce: Digest
    host: HostName
    iat: Seconds
    inv: Digest
    prev: Digest
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
    site: SiteName
    uptime: Seconds
    conflict: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=8192)], ...], msgspec.Meta(max_length=2)
    ] = ()
    counters: Annotated[tuple[Counters, ...], msgspec.Meta(max_length=MAX_CHIPS)] = ()
    evidence: Annotated[tuple[EvidenceRef, ...], msgspec.Meta(max_length=128)] = ()
    log: LogHead | None = None
    refused: Annotated[tuple[Refused, ...], msgspec.Meta(max_length=16)] = ()
    resumed: bool = False
    skipped: Count = 0


class Claims(FormerClaims, frozen=True, kw_only=True):
    """What both profiles say.

    Attributes:
        no_evidence: why chips have no device signature, in a token of an evidence round.
        tpm: the host's TPM over these claims, at boot and on a schedule.
    """

    no_evidence: Annotated[tuple[NoEvidence, ...], msgspec.Meta(max_length=128)] = ()
    tpm: TpmQuote | None = None


class FullReport(Claims, frozen=True, kw_only=True, tag=INVENTORY_PROFILE):
    """The whole inventory: at boot, on change, on request and daily.

    Attributes:
        inventory: the statement; its digest must equal `inv`.
        swname: name of the agent software.
        swversion: its version.
        ueid: EAT identity of the host, base64url of 33 bytes.
    """

    inventory: Inventory
    swname: Text
    swversion: Text
    ueid: Annotated[str, whole("[A-Za-z0-9_-]{44}")]


class SealedReport(Claims, frozen=True, kw_only=True, tag=INVENTORY_PROFILE):
    """A full report whose inventory was left as bytes, because its digest is known already.

    Attributes:
        inventory: the exact bytes of the statement.
        swname: as in `FullReport`.
        swversion: as in `FullReport`.
        ueid: as in `FullReport`.
    """

    inventory: msgspec.Raw
    swname: Text
    swversion: Text
    ueid: Annotated[str, whole("[A-Za-z0-9_-]{44}")]

    def open(self, inventory: Inventory) -> FullReport:
        """Return this report with its inventory decoded."""
        members = {name: getattr(self, name) for name in self.__struct_fields__}
        return FullReport(**{**members, "inventory": inventory})


class Heartbeat(Claims, frozen=True, kw_only=True, tag=HEARTBEAT_PROFILE):
    """The inventory is still the one with digest `inv`; here are its counters."""


class FormerFullReport(FormerClaims, frozen=True, kw_only=True, tag=FORMER_INVENTORY_PROFILE):
    """A full report of profile version 1."""

    inventory: Inventory
    swname: Text
    swversion: Text
    ueid: Annotated[str, whole("[A-Za-z0-9_-]{44}")]


class FormerSealedReport(FormerClaims, frozen=True, kw_only=True, tag=FORMER_INVENTORY_PROFILE):
    """A full report of profile version 1 whose inventory was left as bytes."""

    inventory: msgspec.Raw
    swname: Text
    swversion: Text
    ueid: Annotated[str, whole("[A-Za-z0-9_-]{44}")]


class FormerHeartbeat(FormerClaims, frozen=True, kw_only=True, tag=FORMER_HEARTBEAT_PROFILE):
    """A heartbeat of profile version 1."""


AnyClaims = FullReport | Heartbeat
SealedClaims = SealedReport | Heartbeat
AnyVersion = FullReport | Heartbeat | FormerFullReport | FormerHeartbeat
"""What may be read: bytes of the present and of the previous version."""
AnySealedVersion = SealedReport | Heartbeat | FormerSealedReport | FormerHeartbeat

_PRESENT: dict[type[FormerClaims], type[Claims]] = {
    FormerFullReport: FullReport,
    FormerSealedReport: SealedReport,
    FormerHeartbeat: Heartbeat,
}


@overload
def present(claims: Heartbeat | FormerHeartbeat) -> Heartbeat: ...
@overload
def present(claims: FullReport | FormerFullReport) -> FullReport: ...
@overload
def present(claims: SealedReport | FormerSealedReport) -> SealedReport: ...
def present(claims: FormerClaims) -> FormerClaims:
    """Return claims of either version in the terms of the present one.

    The bytes received stay what was signed; what version 1 could not say is absent.
    """
    kind = _PRESENT.get(type(claims))
    if kind is None:
        return claims
    return kind(**{name: getattr(claims, name) for name in claims.__struct_fields__})
