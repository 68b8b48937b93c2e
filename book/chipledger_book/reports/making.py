"""Every kind of report by its name, and what each is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chipledger_book.ledger import Book
from chipledger_book.licences import LicenceType
from chipledger_book.reports import accounting, consignee, group, in_out, incidents, inventory
from chipledger_book.reports.header import Report, Source, Titled
from chipledger_book.rules import Tables


class ReportKind(StrEnum):
    """Shapes of reports."""

    CURRENT_INVENTORY = "current-inventory"
    CHIP_ACCOUNTING = "chip-accounting"
    IN_OUT = "in-out"
    CONSIGNEE_TPP = "consignee-tpp"
    GROUP_SHARE = "group-share"
    INCIDENT_NOTICE = "incident-notice"


TITLES: Final[dict[ReportKind, Titled]] = {
    ReportKind.CURRENT_INVENTORY: inventory.TITLED,
    ReportKind.CHIP_ACCOUNTING: accounting.TITLED,
    ReportKind.IN_OUT: in_out.TITLED,
    ReportKind.CONSIGNEE_TPP: consignee.TITLED,
    ReportKind.GROUP_SHARE: group.TITLED,
    ReportKind.INCIDENT_NOTICE: incidents.TITLED,
}
OF_THE_PARENT: Final = frozenset(
    {ReportKind.CHIP_ACCOUNTING, ReportKind.CONSIGNEE_TPP, ReportKind.GROUP_SHARE}
)
"""Kinds that speak of every facility of the parent, not of one site alone."""
OF_DOCUMENTS: Final = frozenset({ReportKind.CHIP_ACCOUNTING, ReportKind.GROUP_SHARE})
"""Kinds that need a document of every facility of the parent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What reports are made of.

    Attributes:
        sources: documents, the facility that was asked for first; the others of its parent where
            the kind needs them.
        book: folded for what was known when the first of them was made.
        tables: what they were measured by.
        sites: every facility of the parent.
        claimed: types of the licences that the parent's consignees hold.
        made_by: the software that makes the report.
    """

    sources: Sequence[Source]
    book: Book
    tables: Tables
    sites: Sequence[str]
    claimed: frozenset[LicenceType]
    made_by: str


def make_report(kind: ReportKind, material: Material) -> Report:
    """Return a report; the same material gives the same report."""
    first, made_by = material.sources[0], material.made_by
    match kind:
        case ReportKind.CURRENT_INVENTORY:
            return inventory.inventory(first, made_by=made_by)
        case ReportKind.CHIP_ACCOUNTING:
            return accounting.accounting(material.sources, made_by=made_by)
        case ReportKind.IN_OUT:
            return in_out.in_out(first, made_by=made_by)
        case ReportKind.CONSIGNEE_TPP:
            return consignee.consignee_statement(
                first, material.book, material.tables, material.sites, made_by=made_by
            )
        case ReportKind.GROUP_SHARE:
            return group.group_share(
                material.sources, material.tables, material.claimed, made_by=made_by
            )
        case ReportKind.INCIDENT_NOTICE:
            return incidents.incident_notice(first, material.tables.calendars, made_by=made_by)
