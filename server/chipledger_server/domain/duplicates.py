"""When one chip is claimed by two hosts.

A chip seen on A and then on B has moved. Seen on B *between* two fresh sightings on A it cannot
have been where both say: one of the claims does not count. A host that reported the chip's
absence in between has given it up; its claim begins anew.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A host's unbroken claim to a chip.

    Attributes:
        host: the host.
        site: its site.
        since_ms: first fresh sighting of the claim.
        last_ms: newest fresh sighting of the claim.
        signed_ms: newest signature that the chip made on that host, if it ever did.
    """

    host: str
    site: str
    since_ms: int
    last_ms: int
    signed_ms: int | None = None


def overlaps(mine_before_ms: int | None, theirs_last_ms: int) -> bool:
    """Tell whether their sighting lies between my last one and the one I make now."""
    return mine_before_ms is not None and mine_before_ms < theirs_last_ms


def settle(one: Claim, other: Claim, *, signed_from_ms: int) -> tuple[Claim, Claim]:
    """Return the claim that counts and the one that does not.

    The chip's own signature during a claim decides, as long as it is not too old; among equals
    the earlier claim.

    Args:
        one: a claim.
        other: another claim to the same chip.
        signed_from_ms: signatures before this time are too old.
    """
    first, second = sorted((one, other), key=lambda claim: _order(claim, signed_from_ms))
    return first, second


def _order(claim: Claim, signed_from_ms: int) -> tuple[bool, int, str]:
    # What the chip signed under an earlier claim says nothing of one that began anew.
    from_ms = max(signed_from_ms, claim.since_ms)
    signed = claim.signed_ms is not None and claim.signed_ms >= from_ms
    return not signed, claim.since_ms, claim.host
