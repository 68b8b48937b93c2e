"""What a rule set says of one site beside its ceilings: limits, conditions, duties.

Like the rest of a report these structs write every member.
"""

from datetime import date
from enum import StrEnum
from typing import Literal

import msgspec


class _View(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every struct of a report."""


class LimitVerdict(StrEnum):
    """What a limit says."""

    WITHIN = "within"
    EXCEEDED = "exceeded"
    DUE = "due"  # a notice or certificate is owed
    NOT_DUE = "not-due"
    NO_LIMIT = "no-limit"  # no step holds the day
    UNDETERMINED = "undetermined"  # the rule counts what this ledger does not hold


class LimitUse(_View, frozen=True, kw_only=True):
    """What one limit says of one subject, and of one part of it where the limit has parts.

    Attributes:
        limit: name of the limit.
        effect: what follows: ceiling, policy, notice or certificate.
        subject: kind of subject.
        of: the subject: a site, consignee, parent, ``parent/CC``, or country.
        part: the window, step, shipment, country or model that is held against the bound.
        unit: in what `used` and `most` count.
        used: what counts, or null where it is not known (a model without that number).
        total: of a share, the whole that it is a share of.
        most: what is allowed; a duty begins at it. Null where no step holds the day.
        left: most - used, below zero the excess.
        over_tpp: the excess in TPP.
        verdict: what follows from the numbers alone.
        sees: `own`: the rule counts more than this ledger holds.
        sites: sites that count.
        uncounted: licences with a line whose TPP no paper says, so that the number is a part.
        owed_by: who owes a notice or certificate.
        source: where the rule says so.
    """

    limit: str
    effect: Literal["ceiling", "policy", "notice", "certificate"]
    subject: str
    of: str
    part: str
    unit: str
    used: int | None
    total: int | None
    most: int | None
    left: int | None
    over_tpp: int
    verdict: LimitVerdict
    sees: Literal["all", "own"]
    sites: tuple[str, ...]
    uncounted: tuple[str, ...]
    owed_by: str
    source: str


class EntityFound(_View, frozen=True, kw_only=True):
    """The row of a table of authorised entities that puts a site into its tier."""

    list: str
    name: str
    valid_from: date
    valid_to: date | None
    source: str


class Stated(_View, frozen=True, kw_only=True):
    """A condition that only people can certify: stated, not seen."""

    condition: str
    text: str
    certified_by: str
    source: str
    how: Literal["stated-not-seen"] = "stated-not-seen"


class Owed(_View, frozen=True, kw_only=True):
    """A report or notice that somebody owes; its days stand in the calendars under `report`."""

    duty: str
    text: str
    owed_by: str
    report: str
    source: str


class RulesView(_View, frozen=True, kw_only=True):
    """What a rule set says of a site on a day.

    Attributes:
        rule_set: its id.
        version: its version.
        status: in force, codified but not enforced, or proposed.
        tier: the site's tier.
        tier_source: where the rule says so.
        policy: how applications are reviewed there, in the rule's words.
        licence: whether any chips need a licence there.
        entity: the authorised entity that makes the tier, or null.
        limits: what is held against an amount, for the site and the subjects it counts for.
        conditions: what only people can certify.
        duties: reports and notices that are owed.
    """

    rule_set: str
    version: str
    status: str
    tier: str
    tier_source: str
    policy: str
    licence: Literal["required", "not-required"]
    entity: EntityFound | None
    limits: tuple[LimitUse, ...]
    conditions: tuple[Stated, ...]
    duties: tuple[Owed, ...]
