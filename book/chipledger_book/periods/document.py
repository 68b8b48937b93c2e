"""The document of a period: one canonical text with one digest, which two people sign.

Everything that the signature stands for is in it: the balance, the list of units, what moved,
the open findings, the versions of tables and software, and the head of the log. It is never
changed: what comes late makes another document that names the one it takes the place of.
"""

from datetime import UTC, date, datetime
from typing import Final, Literal

import msgspec

from chipledger_book.errors import Code, refuse
from chipledger_book.parties import Site
from chipledger_book.periods.units import Unit
from chipledger_book.report import Sides, SiteReport, View
from chipledger_book.tables import TableVersion
from chipledger_book.timers import DAY_MS
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.ids import Digest, sha256_b64

FORMAT: Final = "chipledger-period-1"
LOG_HEAD_WORDS: Final = (
    "RFC 6962 tree head over the entries that the collector's log held when the period was "
    "frozen, computed by the collector itself: not signed and not witnessed. It shows later "
    "whether the log was rewritten since; it does not show what was never written into it."
)


class LogHead(View, frozen=True, kw_only=True):
    """Size and root of the log at the freeze, and what that is.

    Attributes:
        size: entries that the tree has.
        root: base64url of its root hash.
        what: what it is, in words.
    """

    size: int
    root: Digest
    what: str = LOG_HEAD_WORDS


class Movement(View, frozen=True, kw_only=True):
    """What one event of the period did to the book, or said of it.

    Attributes:
        event: its id.
        type: its kind.
        column: the column of the balance that it is in, or null: it moves nothing.
        occurred_ms: when it happened, or since when both sides of it stand.
        recorded_ms: when the collector took it up, or null where that is not known.
        other: the other party or site; empty where there is none.
        country: where it went, of what was shipped.
        reference: shipment, case, seal or ticket.
        charged_to: issuer and number of the licence it names.
        how: `lost`, `stolen`, `broken`, `missing`, or empty.
        sides: on whose word it stands; null of what has no other side.
        strength: strongest statement behind it, or null where none was read.
        pieces: model → pieces.
    """

    event: str
    type: str
    column: str | None
    occurred_ms: int
    recorded_ms: int | None
    other: str
    country: str | None
    reference: str
    charged_to: tuple[str, str] | None
    how: str
    sides: Sides | None
    strength: str | None
    pieces: dict[str, int]


class OpenFinding(View, frozen=True, kw_only=True):
    """A finding that was open at the end of the period, or was opened in it.

    Attributes:
        state: `open` or `resolved` at the end of the period, or a state of its case.
    """

    id: str
    type: str
    severity: str
    host: str | None
    chip: str | None
    opened_ms: int
    resolved_ms: int | None
    state: str
    words: str


class Difference(View, frozen=True, kw_only=True):
    """One number or word that two documents have different.

    Attributes:
        what: which thing: a model, a verdict, the units.
        column: which number of it.
        before: in the document that this one takes the place of.
        after: in this one.
    """

    what: str
    column: str
    before: str
    after: str


class LateEvent(View, frozen=True, kw_only=True):
    """An event that was recorded after the document before, and bears on its period.

    Attributes:
        words: what it says, in one sentence.
    """

    event: str
    type: str
    occurred_ms: int
    recorded_ms: int
    words: str


class Before(View, frozen=True, kw_only=True):
    """The period before this one.

    Attributes:
        digest: of its newest document.
        differs: where the opening of this period is not what that document closed with.
    """

    first_day: date
    last_day: date
    version: int
    digest: Digest
    differs: tuple[Difference, ...]


class Gap(View, frozen=True, kw_only=True):
    """Days between two periods that belong to none, and why."""

    first_day: date
    last_day: date
    reason: str


class PeriodDocument(View, frozen=True, kw_only=True):
    """A period of a site, frozen.

    Attributes:
        site: as declared at the end of the period.
        first_day: inclusive, UTC.
        last_day: inclusive, UTC.
        version: 1 for the first document of the period, then one more each.
        restatement: 0 up to the first close; then the number of the restatement.
        replaces: digest of the document that this one takes the place of.
        reason: why it was frozen again, in words.
        start_ms: first millisecond of the period.
        as_of_ms: last millisecond of the period: what was true then.
        known_at_ms: what was known when it was frozen.
        frozen_by: who froze it.
        code: name and version of the software.
        appraisal: version of the policy that graded the chips.
        tables: versions of every table, calendars among them.
        balance: with `opening` from the start of the period.
        units: the list of booked and seen chips.
        movements: events of the period.
        findings: open at its end, or opened in it.
        before: the period before, or null for the first.
        gap: days that neither has, or null.
        late: what came after the document before.
        differences: from that document, number by number.
        words: the same in sentences.
        log: head of the log; null of a draft that nobody freezes.
        cannot_see: what none of this can see.
    """

    site: Site
    first_day: date
    last_day: date
    version: int
    restatement: int
    replaces: Digest | None
    reason: str
    start_ms: int
    as_of_ms: int
    known_at_ms: int
    frozen_by: str
    code: str
    appraisal: str
    tables: tuple[TableVersion, ...]
    balance: SiteReport
    units: tuple[Unit, ...]
    movements: tuple[Movement, ...]
    findings: tuple[OpenFinding, ...]
    before: Before | None
    gap: Gap | None
    late: tuple[LateEvent, ...]
    differences: tuple[Difference, ...]
    words: tuple[str, ...]
    log: LogHead | None
    cannot_see: tuple[str, ...]
    format: Literal["chipledger-period-1"] = FORMAT


def encode_document(document: PeriodDocument) -> bytes:
    """Return the canonical bytes of a document."""
    return encode_canonical(document)


def document_digest(data: bytes) -> Digest:
    """Return what is signed: base64url(SHA-256(canonical bytes))."""
    return sha256_b64(data)


def decode_document(data: bytes) -> PeriodDocument:
    """Return the document in its canonical bytes.

    Raises:
        BookError: `malformed-period-document`.
    """
    try:
        document = msgspec.json.decode(data, type=PeriodDocument, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(str(error)) from error
    if encode_document(document) != data:
        raise _malformed("the text is not the canonical encoding of what it says")
    return document


def _malformed(detail: str) -> Exception:
    return refuse(
        Code.MALFORMED_PERIOD_DOCUMENT,
        detail,
        hint="get the document as the collector keeps it, byte for byte",
    )


def first_ms(day: date) -> int:
    """Return the first millisecond of a day, UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def last_ms(day: date) -> int:
    """Return the last millisecond of a day, UTC."""
    return first_ms(day) + DAY_MS - 1
