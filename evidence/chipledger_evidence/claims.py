"""The claims a host signs: two profiles of one EAT (RFC 9711), version 1.

`eat_profile` selects the struct and is a *full* profile: a receiver knows every claim, every
bound and the freshness rule, and refuses anything else. A new claim is a new profile version.
"""

from typing import Annotated

import msgspec

from chipledger_evidence.codec import Wire
from chipledger_evidence.ids import Digest, HostName, SiteName, whole
from chipledger_evidence.inventory import MAX_CHIPS, Count, Counters, Inventory, Text

INVENTORY_PROFILE = "tag:chipledger.org,2026:host-inventory#1"
HEARTBEAT_PROFILE = "tag:chipledger.org,2026:host-heartbeat#1"

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
    kind: Annotated[str, whole("[a-z][a-z0-9-]{0,63}")]
    chip: Annotated[int, msgspec.Meta(ge=0, lt=MAX_CHIPS)] | None = None


class Claims(Wire, frozen=True, kw_only=True, tag_field="eat_profile"):
    """What both profiles say.

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


AnyClaims = FullReport | Heartbeat
SealedClaims = SealedReport | Heartbeat
