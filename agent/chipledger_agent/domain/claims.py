"""From a scan and the chain's state to the claims that are signed."""

from dataclasses import dataclass

import msgspec

from chipledger_agent.domain.chain import Link
from chipledger_agent.domain.evidence import NOTHING, Packed
from chipledger_agent.domain.plan import Cause
from chipledger_evidence.claims import AnyClaims, FullReport, Heartbeat, Refused
from chipledger_evidence.inventory import Counters, Inventory

MAX_REFUSED = 16
"""Reports put aside that one token can name; the others wait for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who signs: as enrolled.

    Attributes:
        host: host id.
        site: site id.
        ueid: EAT identity of the host.
        swname: name of this software.
        swversion: its version.
    """

    host: str
    site: str
    ueid: str
    swname: str
    swversion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What one scan saw: the stable statement and the odometers, chip by chip."""

    inventory: Inventory
    counters: tuple[Counters, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When and where in the chain a token is signed.

    Attributes:
        after: the token it continues.
        resumed: `after` is the collector's head, because ours was lost.
        nonce: challenge or epoch value to echo.
        iat_s: host clock, Unix seconds.
        bootseed: digest of the kernel's boot id.
        uptime_s: seconds since boot.
        inv: stable digest of the inventory.
        skipped: scans not made or not kept since the last token.
        refused: reports put aside that no accepted token has named yet.
        packed: the evidence it names, and why there is no more.
    """

    after: Link
    resumed: bool
    nonce: str
    iat_s: int
    bootseed: str
    uptime_s: int
    inv: str
    skipped: int
    refused: tuple[Refused, ...]
    packed: Packed = NOTHING


def build_claims(
    scan: Scan, moment: Moment, identity: Identity, *, cause: Cause | None
) -> AnyClaims:
    """Return a full report when there is a `cause` for one, else a heartbeat."""
    beat = Heartbeat(
        bootseed=moment.bootseed,
        eat_nonce=moment.nonce,
        host=identity.host,
        iat=moment.iat_s,
        inv=moment.inv,
        prev=moment.after.token,
        seq=moment.after.seq + 1,
        site=identity.site,
        uptime=moment.uptime_s,
        counters=scan.counters,
        evidence=moment.packed.refs,
        no_evidence=moment.packed.reasons,
        refused=moment.refused[:MAX_REFUSED],
        resumed=moment.resumed,
        skipped=moment.skipped,
    )
    if cause is None:
        return beat
    return FullReport(
        **msgspec.structs.asdict(beat),  # what both profiles say
        inventory=scan.inventory,
        swname=identity.swname,
        swversion=identity.swversion,
        ueid=identity.ueid,
    )
