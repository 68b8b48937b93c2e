"""Kinds of limits: what is bounded, by how much, and what follows. The vocabulary of rule sets.

Every bound is inclusive: what is allowed up to an amount is allowed at the amount. A duty that
begins at an amount begins when it is reached.
"""

from datetime import date
from typing import Annotated, Literal

import msgspec

from chipledger_book.catalogue import Eccn, Positive, Sku
from chipledger_book.terms import Name, Record, Text

PPM = 1_000_000
"""The whole, in millionths."""

Flow = Literal["calendar-year", "calendar-quarter", "whole"]
"""Windows over which quantities add up; ``whole``: as long as the rule set is valid."""
Window = Literal["calendar-year", "calendar-quarter", "whole", "span", "shipment", "point-in-time"]
"""``span``: from `first_day` to `last_day`; ``shipment``: each by itself; else at one time."""
PartySubject = Literal["site", "consignee", "ultimate-parent", "company-in-country"]
Subject = Literal["site", "consignee", "ultimate-parent", "company-in-country", "country"]
"""Whose quantities add up; a company in a country is an ultimate parent's sites there."""
Counts = Literal["received", "installed", "owned", "licensed"]
"""``received``: what arrived; ``installed``: what is held at sites that claim the exception, less
what left; ``owned``: what the whole subject holds; ``licensed``: what licences grant."""
Effect = Literal["ceiling", "policy", "notice", "certificate"]
"""What follows: beyond a ``ceiling`` nothing is authorised, beyond a ``policy`` applications are
denied; a ``notice`` or ``certificate`` is owed from the amount on."""
Attribute = Literal["tpp", "dram_bandwidth_gb_s", "density_milli", "memory_mib"]
"""A number of a catalogue row."""


class AmountLimit(Record, frozen=True, kw_only=True, tag_field="kind", tag="amount"):
    """A fixed amount of TPP, inclusive: reaching it is allowed, one more is not."""

    unit: Literal["tpp"]
    amount: Positive


class CountLimit(Record, frozen=True, kw_only=True, tag_field="kind", tag="count"):
    """A fixed number of chips, inclusive."""

    pieces: Positive


class Step(Record, frozen=True, kw_only=True):
    """An amount from a day on, until the next step."""

    first_day: date
    amount: Positive


class SteppedLimit(Record, frozen=True, kw_only=True, tag_field="kind", tag="stepped"):
    """Amounts of TPP, each from its day on, inclusive.

    Attributes:
        unit: what is counted.
        steps: oldest first; a day before the first has no amount.
        last_day: last day of the last step.
    """

    unit: Literal["tpp"]
    steps: Annotated[tuple[Step, ...], msgspec.Meta(min_length=1)]
    last_day: date

    def on(self, day: date) -> Step | None:
        """Return the step of a day, or None outside all of them."""
        begun = [step for step in self.steps if step.first_day <= day]
        return begun[-1] if begun and day <= self.last_day else None


class ShareLimit(Record, frozen=True, kw_only=True, tag_field="kind", tag="share"):
    """A share of a total, inclusive, compared in whole numbers.

    Attributes:
        ppm: the share in millionths.
        outside: the part is what lies in a country on none of these lists.
        inside: the part is what lies in a country on one of these lists.
        each: the part is taken apart, and every piece of it is held against the share.
        base: the total: all of the subject's, or only what lies in these countries.
        headquarters: only for subjects with headquarters in these countries; empty: for all.
    """

    ppm: Annotated[int, msgspec.Meta(ge=1, le=PPM)]
    outside: tuple[Name, ...] = ()
    inside: tuple[Name, ...] = ()
    each: Literal["country", "model"] | None = None
    base: tuple[Name, ...] = ()
    headquarters: tuple[Name, ...] = ()


class AttributeLimit(Record, frozen=True, kw_only=True, tag_field="kind", tag="attributes"):
    """Numbers of a model that must all be below a bound, the bound itself left out."""

    below: Annotated[dict[Attribute, Positive], msgspec.Meta(min_length=1)]


Bound = AmountLimit | CountLimit | SteppedLimit | ShareLimit | AttributeLimit


class Limit(Record, frozen=True, kw_only=True):
    """Something that is held against a bound, whether or not an exception is claimed by it.

    Attributes:
        limit: its name.
        subject: whose quantities are added up.
        counts: which quantities.
        window: over which time.
        bound: how much.
        effect: what follows.
        source: where the rule says so.
        tiers: tiers whose sites count; empty: all.
        claimed_by: licence types; only what is claimed under one of them counts, or, for what
            is owned, only subjects that hold one. For what is licensed: the types that count.
        eccns: chips that count, by asserted control; empty: all.
        datacenter_only: only chips designed or marketed for data centres count.
        first_day: first day of a span.
        last_day: last day of a span.
        sees: ``own``: the rule counts what this ledger does not hold too, so that the number here
            is a part of it.
        owed_by: who owes the notice or certificate.
    """

    limit: Name
    subject: Subject
    counts: Counts
    window: Window
    bound: Bound
    effect: Effect
    source: Text
    tiers: tuple[Name, ...] = ()
    claimed_by: tuple[Name, ...] = ()
    eccns: tuple[Eccn, ...] = ()
    datacenter_only: bool = False
    first_day: date | None = None
    last_day: date | None = None
    sees: Literal["all", "own"] = "all"
    owed_by: Text = ""

    def applies_to(self, sku: Sku) -> bool:
        """Tell whether chips of a model count."""
        return counts_model(sku, self.eccns, datacenter_only=self.datacenter_only)

    def in_span(self, day: date) -> bool:
        """Tell whether a day lies in the span."""
        return (self.first_day is None or self.first_day <= day) and (
            self.last_day is None or day <= self.last_day
        )


def counts_model(sku: Sku, eccns: tuple[Eccn, ...], *, datacenter_only: bool) -> bool:
    """Tell whether chips of a model count against a ceiling or limit."""
    if datacenter_only and not sku.datacenter:
        return False
    return not eccns or sku.eccn in eccns


def flow_label(window: Flow, day: date) -> str:
    """Return the name of the window that a day lies in: ``2026``, ``2026-Q2`` or ``whole``."""
    if window == "calendar-year":
        return str(day.year)
    return quarter(day) if window == "calendar-quarter" else "whole"


def current_labels(day: date) -> frozenset[str]:
    """Return the names of all windows that hold a day."""
    windows: tuple[Flow, ...] = ("calendar-year", "calendar-quarter", "whole")
    return frozenset(flow_label(window, day) for window in windows)


def quarter(day: date) -> str:
    """Return the calendar quarter of a day: ``2026-Q2``."""
    return f"{day.year}-Q{(day.month + 2) // 3}"
