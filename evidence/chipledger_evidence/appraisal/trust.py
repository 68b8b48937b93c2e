"""AR4SI trustworthiness: categories, values, tiers, and which of two is worse.

Source: draft-ietf-rats-ar4si, sections 2.3 and 3.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

NO_CLAIM: Final = 0
UNKNOWN_ELEMENTS: Final = 1
"""Elements that the verifier does not know keep it from judging."""
AFFIRMED: Final = 2
UNATTESTED_SOURCE: Final = 32
"""`sourced-data`: from sources that attest nothing, as a driver's word is."""
UNSAFE_CONFIGURATION: Final = 32
UNRECOGNISED_RUNTIME: Final = 33
ELEMENTS_UNAVAILABLE: Final = 36
COMPROMISED: Final = 96
"""Recognised, and not to be trusted: a revoked key, an identity in two places, a bad source."""
UNRECOGNISED: Final = 97
CRYPTO_FAILED: Final = 99


class Category(StrEnum):
    """What a value of the vector speaks of."""

    INSTANCE_IDENTITY = "instance-identity"
    CONFIGURATION = "configuration"
    EXECUTABLES = "executables"
    FILE_SYSTEM = "file-system"
    HARDWARE = "hardware"
    RUNTIME_OPAQUE = "runtime-opaque"
    STORAGE_OPAQUE = "storage-opaque"
    SOURCED_DATA = "sourced-data"


Vector = Mapping[Category, int]


class Tier(StrEnum):
    """How far something may be trusted, best first."""

    AFFIRMING = "affirming"
    NONE = "none"
    WARNING = "warning"
    CONTRAINDICATED = "contraindicated"


_ORDER: Final = {tier: place for place, tier in enumerate(Tier)}
# First value of each tier, and first absolute value among the negative, which verifiers choose.
_POSITIVE: Final = ((96, Tier.CONTRAINDICATED), (32, Tier.WARNING), (2, Tier.AFFIRMING))
_NEGATIVE: Final = ((97, Tier.CONTRAINDICATED), (33, Tier.WARNING), (2, Tier.AFFIRMING))


def tier_of(value: int) -> Tier:
    """Return the tier of a value from -128 to 127."""
    steps = _POSITIVE if value > 0 else _NEGATIVE
    return next((tier for first, tier in steps if abs(value) >= first), Tier.NONE)


def worse(one: Tier, other: Tier) -> bool:
    """Tell whether `one` deserves less trust than `other`."""
    return _ORDER[one] > _ORDER[other]


def worst(tiers: Iterable[Tier]) -> Tier:
    """Return the tier that deserves the least trust; `none` where there is none at all."""
    return max(tiers, key=_ORDER.__getitem__, default=Tier.NONE)


def status_of(vector: Vector) -> Tier:
    """Return the status that a vector deserves: that of its worst claim.

    A value of 1 or -1 says that something could not be judged, so it keeps the whole from being
    affirming. A value of 0 says nothing; where all say nothing the status is `none`.
    """
    return worst(tier_of(value) for value in vector.values() if value != NO_CLAIM)


def best_allowed(vector: Vector) -> Tier:
    """Return the best status that another verifier may give a vector.

    The draft bounds a status by the worst claim and leaves open whether a value that makes no
    claim bounds it too, so only values that make one are counted here.
    """
    return worst(tier for tier in map(tier_of, vector.values()) if tier is not Tier.NONE)
