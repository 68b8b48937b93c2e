"""The forms by which events are entered: what each does, who else must speak, what it starts.

A form is the row of an import file in other clothes: what is typed goes through the reader of
tables, so that both doors take and refuse the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chipledger_book.imports.columns import (
    DOCUMENT,
    HAPPENED,
    MEANINGS,
    REFERENCES,
    SHAPES,
    TITLE,
)
from chipledger_book.timers import Timer

WHOLE: Final = "whole"
"""Where an error stands that belongs to no field."""
THINGS: Final = "things"
LICENCE_LINES: Final = "licence-lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One field of a form.

    Attributes:
        name: under which it is sent.
        label: what people call it.
        required: whether the event cannot be without it.
        help: what is to be written, in a few words.
        options: what can be chosen; empty for text.
        area: whether it is written in several lines.
        mark: whether it is a mark that is set or not.
    """

    name: str
    label: str
    required: bool = False
    help: str = ""
    options: tuple[str, ...] = ()
    area: bool = False
    mark: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one kind of event is entered.

    Attributes:
        kind: type of the event.
        title: what people call it.
        effect: what it does to the book.
        other: who the other side is, and how it speaks.
        timer: what starts to run, or None.
        waits: for what it runs.
        inputs: its fields.
        lines: what its lines are: things, lines of a licence, or nothing.
        parts: of an event with several lists of lines, their names.
    """

    kind: str
    title: str
    effect: str
    other: str
    timer: Timer | None
    waits: str
    inputs: tuple[Input, ...]
    lines: str
    parts: tuple[str, ...] = ()


_LABELS: Final[Mapping[str, str]] = {
    "to_site": "To site",
    "from_site": "From site",
    "case": "Case number of the vendor",
    "shipment": "Shipment reference",
    "licence_issuer": "Licence: issuer",
    "licence_number": "Licence: number",
    "answers": "Answers the event",
    "confirms": "Confirms the event",
    "corrects": "Takes back the event",
    "replaced_by": "Replaced by the event",
    "role": "Speaks as",
    "accepted_document": "Accepted paper: SHA-256",
    "accepted_title": "Accepted paper: title",
    "seal_found": "Seal was found",
    "witness_name": "Witness",
    "witness_party": "Witness: party",
    "reported_to": "Reported to",
    "first_day": "First day",
    "last_day": "Last day",
    "balance": "Digest of the balance",
    HAPPENED: "Happened",
    DOCUMENT: "Document: SHA-256",
    TITLE: "Document: title",
}
_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "seal_found": ("intact", "broken", "missing"),
    "how": ("lost", "stolen"),
    "method": ("full", "sample"),
    "source": ("customs", "seller", "other"),
}
_ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "confirmed": ("consignee", "vendor", "shipper"),
    "signed-off": ("operator", "auditor"),
}
_HAPPENED: Final = Input(
    name=HAPPENED,
    label="Happened",
    required=True,
    help="day (its first moment, UTC) or RFC 3339 time",
)
_PAPERS: Final = (
    Input(name=DOCUMENT, label=_LABELS[DOCUMENT], help="of the paper behind it, by sha256sum"),
    Input(name=TITLE, label=_LABELS[TITLE]),
)

_ABOUT: Final[Mapping[str, tuple[str, str, str, Timer | None, str]]] = {
    "shipment-declared": (
        "Shipment declared",
        "Nothing is booked: the chips are in transit until the site receives them.",
        "The receiving site answers with a receipt.",
        Timer.RECEIPT,
        "the receipt",
    ),
    "received": (
        "Receipt",
        "The chips are added to the book of the site, and count against its licence.",
        "The shipper, by its declared shipment or its own confirmation.",
        Timer.ATTESTATION,
        "the first report of these chips",
    ),
    "receipt-difference": (
        "Difference on receipt",
        "Nothing is booked: it says how what arrived differs from what was declared.",
        "The sender corrects its papers, or sends the rest.",
        Timer.DIFFERENCE,
        "the difference to be settled",
    ),
    "shipped": (
        "Shipment out",
        "The chips leave the book. Room under a licence does not come back.",
        "The consignee confirms that it has them.",
        Timer.EXPORT,
        "the consignee's word",
    ),
    "transfer-out": (
        "Transfer to another site",
        "The chips leave the book of this site.",
        "The other site answers with a transfer in.",
        Timer.TRANSFER,
        "the other site",
    ),
    "transfer-in": (
        "Transfer from another site",
        "The chips are added to the book of this site.",
        "The sending site entered its transfer out first.",
        Timer.ATTESTATION,
        "the first report of these chips",
    ),
    "rma-out": (
        "Return to the vendor (RMA)",
        "The chips stay on the book until the vendor's side stands.",
        "The vendor confirms with its own key, or an auditor accepts its paper.",
        Timer.RMA_CONFIRMATION,
        "the vendor's side",
    ),
    "rma-in": (
        "Back from the vendor (RMA)",
        "Repaired or replacement chips are added to the book, one for one with what left.",
        "The vendor, as for the return.",
        Timer.ATTESTATION,
        "the first report of these chips",
    ),
    "confirmed": (
        "The other side's word",
        "The event that it names becomes two-sided; an RMA leaves the book then.",
        "This is the other side: the party itself, or its paper that an auditor accepted.",
        None,
        "",
    ),
    "stored": (
        "Stored under seal",
        "The chips stay booked, in a column of their own while nothing of them is seen.",
        "Nobody: who runs the site says so, and no site agrees on a seal alone.",
        Timer.SEAL_CHECK,
        "somebody to look at the seal",
    ),
    "unstored": (
        "Seal taken off",
        "What rested under the seal does so no longer, as a whole.",
        "Nobody.",
        None,
        "",
    ),
    "decommissioned": (
        "Decommissioned",
        "The chips leave the book as disposed of.",
        "A witness of another party than the site's.",
        Timer.EVIDENCE,
        "the paper of the disposal",
    ),
    "destroyed": (
        "Destroyed",
        "The chips leave the book as disposed of.",
        "A witness of another party than the site's, and its certificate.",
        Timer.EVIDENCE,
        "the certificate",
    ),
    "lost-or-stolen": (
        "Lost or stolen",
        "The chips stay on the book, and so are unaccounted for.",
        "The authority that is told.",
        Timer.NOTICE,
        "the notice to the authority",
    ),
    "maintenance-window": (
        "Maintenance window",
        "Nothing is booked: it explains the silence of these hosts, for 72 hours at most.",
        "Nobody.",
        Timer.MAINTENANCE,
        "the hosts to report again",
    ),
    "physical-inventory": (
        "Physical count",
        "Nothing is booked: what was counted stands beside what was reported.",
        "The auditor alone.",
        None,
        "",
    ),
    "signed-off": (
        "Sign-off of a period",
        "Nothing is booked: one side signs the balance of a period.",
        "The operator signs first, then the auditor, the same balance.",
        None,
        "",
    ),
    "external-record": (
        "Record of an outsider",
        "Nothing is booked: it is compared with the ledger.",
        "Customs, a seller or another outsider, whose record this is.",
        Timer.EXTERNAL,
        "the ledger to show the same",
    ),
    "correction": (
        "Correction",
        "The event that it names counts no longer, for every date. It stays in the ledger.",
        "Nobody; the right event is entered anew.",
        None,
        "",
    ),
    "site-declared": (
        "Site",
        "A site exists, or changed: the newest declaration holds.",
        "Nobody.",
        None,
        "",
    ),
    "licence-granted": (
        "Licence",
        "A licence never adds chips to the book: receipts do. It allows them.",
        "The authority that granted it, by its paper.",
        None,
        "",
    ),
}


def _input(column: str, kind: str, *, required: bool) -> Input:
    options = _ROLES.get(kind, ()) if column == "role" else _OPTIONS.get(column, ())
    label = _LABELS.get(column, column.replace("_", " ").capitalize())
    says = "" if options or column == "remark" else MEANINGS[column].replace("`", "")
    if column in REFERENCES:
        says = "id of the event, as its page shows it"
    area = column in {"hosts", "reason", "remark"}
    return Input(name=column, label=label, required=required, help=says, options=options, area=area)


def _form(kind: str) -> Form:
    shape = SHAPES[kind]
    title, effect, other, timer, waits = _ABOUT[kind]
    own = tuple(_input(one.column, kind, required=one.required) for one in shape.fields)
    papers = () if kind == "confirmed" else _PAPERS
    return Form(
        kind=kind,
        title=title,
        effect=effect,
        other=other,
        timer=timer,
        waits=waits,
        inputs=(own[0], _HAPPENED, *own[1:-1], *papers, own[-1]),
        lines=THINGS if shape.lists else "",
        parts=shape.lists if len(shape.lists) > 1 else (),
    )


def _party(name: str, label: str) -> tuple[Input, ...]:
    return (
        Input(name=f"{name}-id", label=f"{label}: id", required=True, help="party id"),
        Input(name=f"{name}-name", label=f"{label}: name", required=True, help="legal name"),
        Input(
            name=f"{name}-headquarters",
            label=f"{label}: headquarters",
            required=True,
            help="ISO 3166-1 alpha-2",
        ),
    )


SITE_FORM: Final = Form(
    kind="site-declared",
    title=_ABOUT["site-declared"][0],
    effect=_ABOUT["site-declared"][1],
    other=_ABOUT["site-declared"][2],
    timer=None,
    waits="",
    lines="",
    inputs=(
        Input(name="id", label="Site id", required=True, help="lower case, digits, hyphens"),
        _HAPPENED,
        Input(name="name", label="Name", required=True),
        Input(name="country", label="Country", required=True, help="ISO 3166-1 alpha-2"),
        *_party("operator", "Operator"),
        *_party("consignee", "Consignee"),
        *_party("ultimate_parent", "Ultimate parent"),
        Input(name="address", label="Address", help="as declared; never a measured place"),
        Input(name="test", label="Test site", help="takes simulated chips", mark=True),
        Input(name="remark", label="Remark", area=True),
    ),
)
LICENCE_FORM: Final = Form(
    kind="licence-granted",
    title=_ABOUT["licence-granted"][0],
    effect=_ABOUT["licence-granted"][1],
    other=_ABOUT["licence-granted"][2],
    timer=Timer.LICENCE_WARNING,
    waits="the end of the licence, as a warning before it",
    lines=LICENCE_LINES,
    inputs=(
        Input(name="issuer", label="Issuer", required=True, help="e.g. BIS"),
        _HAPPENED,
        Input(name="number", label="Number", required=True),
        Input(
            name="type",
            label="Type",
            required=True,
            options=("licence", "LPP", "AIA", "ACM", "NVEU", "UVEU", "ACA", "foreign-permit"),
        ),
        Input(name="consignee", label="Consignee", required=True, help="party id"),
        Input(name="sites", label="Sites", help="site ids; empty: every site of the consignee"),
        Input(name="valid_from", label="Valid from", required=True, help="day"),
        Input(name="valid_to", label="Valid to", required=True, help="day, inclusive"),
        Input(name="source-sha256", label="Paper: SHA-256", required=True, help="by sha256sum"),
        Input(name="source-title", label="Paper: title"),
        Input(name="remark", label="Remark", area=True),
    ),
)
FORMS: Final[Mapping[str, Form]] = {
    form.kind: form
    for form in (
        *(_form(kind) for kind in SHAPES if kind in _ABOUT),
        SITE_FORM,
        LICENCE_FORM,
    )
}
"""Type of event → its form, in the order in which they are offered."""
