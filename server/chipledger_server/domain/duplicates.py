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
    """

    host: str
    site: str
    since_ms: int
    last_ms: int


def overlaps(mine_before_ms: int | None, theirs_last_ms: int) -> bool:
    """Tell whether their sighting lies between my last one and the one I make now."""
    return mine_before_ms is not None and mine_before_ms < theirs_last_ms


def settle(one: Claim, other: Claim) -> tuple[Claim, Claim]:
    """Return the claim that counts and the one that does not: the earlier one counts.

    Both are of the same grade as long as the driver's word is all there is.
    """
    first, second = sorted((one, other), key=lambda claim: (claim.since_ms, claim.host))
    return first, second
