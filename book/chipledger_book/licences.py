"""Licences and exceptions: what a party was allowed, never what it has.

A licence creates no book inventory; receipts do.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated

import msgspec

from chipledger_book.catalogue import Catalogue
from chipledger_book.errors import Code, Problem
from chipledger_book.tables import in_force_on, overlap
from chipledger_book.terms import MAX_INTEGER, Document, Name, PartyName, Record, SkuName, Text
from chipledger_evidence.ids import SiteName

MAX_LINES = 1000
MAX_AMOUNT = 1_000_000_000
"""Most pieces or equivalents of one line, so that its TPP is a number every reader holds."""


class LicenceType(StrEnum):
    """Kinds of authorisation. All but ``licence`` and ``foreign-permit`` are exceptions."""

    LICENCE = "licence"
    LPP = "LPP"
    AIA = "AIA"
    ACM = "ACM"
    NVEU = "NVEU"
    UVEU = "UVEU"
    ACA = "ACA"
    FOREIGN_PERMIT = "foreign-permit"


LINES_REQUIRED = frozenset({LicenceType.LICENCE, LicenceType.FOREIGN_PERMIT})
"""Types that grant a quantity by their lines."""

LINES_FORBIDDEN = frozenset({LicenceType.LPP})
"""Types whose quantity is a ceiling of the rule set."""


class QuantityUnit(StrEnum):
    """In what a line counts."""

    PIECES = "pieces"
    TPP = "tpp"
    EQUIVALENTS = "equivalents"


class LicenceLine(Record, frozen=True, kw_only=True):
    """One quantity of a licence.

    Attributes:
        amount: how much, in `unit`; inclusive.
        unit: pieces, TPP, or equivalents of a reference chip (converted by TPP).
        sku: the model it is for; absent: any model.
        reference: the chip that equivalents are counted in; only with that unit.
    """

    amount: Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
    unit: QuantityUnit
    sku: SkuName | None = None
    reference: SkuName | None = None


class Licence(Record, frozen=True, kw_only=True):
    """One authorisation.

    Attributes:
        issuer: who gave it, as people write it.
        number: its number, unique with the issuer.
        type: licence, exception or foreign permit.
        consignee: party it was given to.
        valid_from: first day, inclusive, UTC.
        valid_to: last day, inclusive, UTC.
        source: the paper, by digest.
        sites: sites it covers; empty: every site of the consignee.
        lines: quantities.
        conditions: what else it says; not evaluated.
    """

    issuer: Name
    number: Name
    type: LicenceType
    consignee: PartyName
    valid_from: date
    valid_to: date
    source: Document
    sites: Annotated[tuple[SiteName, ...], msgspec.Meta(max_length=MAX_LINES)] = ()
    lines: Annotated[tuple[LicenceLine, ...], msgspec.Meta(max_length=MAX_LINES)] = ()
    conditions: Text = ""

    def valid_on(self, day: date) -> bool:
        """Tell whether the licence is valid on a day."""
        return in_force_on(day, self.valid_from, self.valid_to)

    def covers(self, site: str, consignee: str) -> bool:
        """Tell whether the licence is for a site of a consignee."""
        return consignee == self.consignee and (not self.sites or site in self.sites)


class LicenceRef(Record, frozen=True, kw_only=True):
    """Names a licence."""

    issuer: Name
    number: Name


def licence_problems(licence: Licence, catalogue: Catalogue) -> Iterator[Problem]:
    """Yield what is wrong with a licence by itself."""
    if licence.valid_to < licence.valid_from:
        yield Problem(
            code=Code.LICENCE_ENDS_BEFORE_START,
            where="licence.valid_to",
            detail=f"licence {licence.number} ends on {licence.valid_to}, "
            f"before it starts on {licence.valid_from}",
            hint="correct the dates; both ends are inclusive",
        )
    if licence.type in LINES_REQUIRED and not licence.lines:
        yield _lines_wrong(f"{licence.type} {licence.number} grants no quantity", "give its lines")
    if licence.type in LINES_FORBIDDEN and licence.lines:
        yield _lines_wrong(
            f"the quantity of {licence.type} is a ceiling of the rule set", "leave the lines out"
        )
    for position, line in enumerate(licence.lines):
        yield from _line_problems(line, catalogue, licence.valid_from, f"licence.lines[{position}]")
    models = [line.sku for line in licence.lines]
    for position, sku in enumerate(models):
        if sku in models[:position]:
            yield _overlaps(licence, sku, f"licence.lines[{position}]", "another line of it")


def overlap_problems(licence: Licence, others: Iterable[Licence]) -> Iterator[Problem]:
    """Yield where a licence repeats a line that is already granted for some of the same days."""
    for other in others:
        if (other.issuer, other.number) != (licence.issuer, licence.number) or not overlap(
            (licence.valid_from, licence.valid_to), (other.valid_from, other.valid_to)
        ):
            continue
        models = {line.sku for line in other.lines}
        if not licence.lines and not other.lines:
            yield _overlaps(licence, None, "licence", f"the one granted from {other.valid_from}")
        for position, line in enumerate(licence.lines):
            if line.sku in models:
                where = f"licence.lines[{position}]"
                yield _overlaps(licence, line.sku, where, f"the line from {other.valid_from}")


def _line_problems(
    line: LicenceLine, catalogue: Catalogue, day: date, where: str
) -> Iterator[Problem]:
    if line.amount <= 0:
        yield Problem(
            code=Code.QUANTITY_NOT_POSITIVE,
            where=f"{where}.amount",
            detail=f"the amount is {line.amount}",
            hint="give a whole number above zero; end a licence by its dates",
        )
    if line.amount > MAX_AMOUNT and line.unit is not QuantityUnit.TPP:
        yield Problem(
            code=Code.QUANTITY_TOO_LARGE,
            where=f"{where}.amount",
            detail=f"{line.amount} {line.unit}, at most {MAX_AMOUNT} are accepted",
            hint="check the number and its unit",
        )
    for member, sku in (("sku", line.sku), ("reference", line.reference)):
        if sku is not None and catalogue.find(sku, day) is None:
            yield Problem(
                code=Code.UNKNOWN_SKU,
                where=f"{where}.{member}",
                detail=f"the catalogue {catalogue.head.version} has no {sku} on {day}",
                hint="name a SKU of the catalogue",
            )
    if (line.unit is QuantityUnit.EQUIVALENTS) != (line.reference is not None):
        yield Problem(
            code=Code.LICENCE_LINES_WRONG,
            where=f"{where}.reference",
            detail="equivalents need a reference chip, and nothing else has one",
            hint='give "reference" with "unit": "equivalents" only',
        )


def _lines_wrong(detail: str, hint: str) -> Problem:
    return Problem(code=Code.LICENCE_LINES_WRONG, where="licence.lines", detail=detail, hint=hint)


def _overlaps(licence: Licence, sku: str | None, where: str, other: str) -> Problem:
    return Problem(
        code=Code.LICENCE_OVERLAPS,
        where=where,
        detail=f"{licence.issuer} {licence.number}, {sku or 'any model'}, overlaps {other}",
        hint="one line a model; correct the earlier grant before a new one for the same days",
    )
