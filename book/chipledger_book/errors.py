"""The one error type of this package, and its stable codes.

A code is never reused and never changes its meaning. An input is refused as a whole and with
everything that is wrong with it, so that a long import needs one round of repairs, not many.
"""

import copyreg
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Stable codes of what can be wrong with what somebody enters into the book."""

    # the text
    EVENT_TOO_LARGE = "event-too-large"
    MALFORMED_EVENT = "malformed-event"
    NOT_CANONICAL_EVENT = "not-canonical-event"
    # quantities and lines
    QUANTITY_NOT_POSITIVE = "quantity-not-positive"
    QUANTITY_TOO_LARGE = "quantity-too-large"
    QUANTITY_NOT_INTEGER = "quantity-not-integer"
    UNKNOWN_QUANTITY_UNIT = "unknown-quantity-unit"
    UNKNOWN_SKU = "unknown-sku"
    UNKNOWN_UNIT_MODEL = "unknown-unit-model"
    UNNAMED_CHIP = "unnamed-chip"
    DUPLICATE_SERIAL = "duplicate-serial"
    SERIAL_ALREADY_RECEIVED = "serial-already-received"
    # licences
    LICENCE_ENDS_BEFORE_START = "licence-ends-before-start"
    LICENCE_OVERLAPS = "licence-overlaps"
    LICENCE_LINES_WRONG = "licence-lines-wrong"
    UNKNOWN_LICENCE = "unknown-licence"
    # parties, sites, references
    UNKNOWN_SITE = "unknown-site"
    UNKNOWN_COUNTRY = "unknown-country"
    SITE_CONFLICT = "site-conflict"
    SITE_IN_USE = "site-in-use"
    EVENT_IN_FUTURE = "event-in-future"
    EVENT_FROM_ATTESTATION = "event-from-attestation"
    UNKNOWN_EVENT = "unknown-event"
    ALREADY_CORRECTED = "already-corrected"
    CORRECTION_OF_CORRECTION = "correction-of-correction"
    # the two sides of an event
    NOT_ON_BOOK = "not-on-book"
    MORE_RECEIVED_THAN_SHIPPED = "more-received-than-shipped"
    TRANSFER_TO_ITSELF = "transfer-to-itself"
    TRANSFER_WITHOUT_COUNTERPART = "transfer-without-counterpart"
    ANSWER_DOES_NOT_FIT = "answer-does-not-fit"
    ANSWER_BEFORE_EVENT = "answer-before-event"
    ALREADY_ANSWERED = "already-answered"
    EVENT_ANSWERED = "event-answered"
    DIFFERENCE_EMPTY = "difference-empty"
    DOCUMENT_MISSING = "document-missing"
    WITNESS_NOT_INDEPENDENT = "witness-not-independent"
    WINDOW_WRONG = "window-wrong"
    PERIOD_WRONG = "period-wrong"
    PERIOD_OVERLAPS = "period-overlaps"
    PERIOD_GAP = "period-gap"
    PERIOD_ALREADY_FROZEN = "period-already-frozen"
    PERIOD_NOT_CLOSED = "period-not-closed"
    NOTHING_TO_RESTATE = "nothing-to-restate"
    SIGN_OFF_SUPERSEDED = "sign-off-superseded"
    SIGN_OFF_SAME_PERSON = "sign-off-same-person"
    MALFORMED_PERIOD_DOCUMENT = "malformed-period-document"
    SIGN_OFF_OUT_OF_ORDER = "sign-off-out-of-order"
    STATEMENT_MISSING = "statement-missing"
    STATEMENT_BY_WRONG_ROLE = "statement-by-wrong-role"
    # what parties sign
    MALFORMED_STATEMENT = "malformed-statement"
    STATEMENT_OF_ANOTHER_EVENT = "statement-of-another-event"
    STATEMENT_CONTRADICTS = "statement-contradicts"
    TOO_MANY_STATEMENTS = "too-many-statements"
    STATEMENT_BY_WRONG_PARTY = "statement-by-wrong-party"
    STATEMENT_BEFORE_EVENT = "statement-before-event"
    STATEMENT_IN_FUTURE = "statement-in-future"
    STATEMENT_KEY_UNKNOWN = "statement-key-unknown"
    STATEMENT_KEY_NOT_VALID = "statement-key-not-valid"
    STATEMENT_KEY_NOT_FOR_THIS = "statement-key-not-for-this"
    STATEMENT_SIGNATURE_WRONG = "statement-signature-wrong"
    # files of events
    IMPORT_TOO_LARGE = "import-too-large"
    MALFORMED_IMPORT = "malformed-import"
    UNKNOWN_COLUMN = "unknown-column"
    UNKNOWN_EVENT_KIND = "unknown-event-kind"
    CELL_MISSING = "cell-missing"
    CELL_MALFORMED = "cell-malformed"
    CELL_UNUSED = "cell-unused"
    ROW_REPEATED = "row-repeated"
    ROWS_DISAGREE = "rows-disagree"
    NOT_YOURS_TO_ENTER = "not-yours-to-enter"
    # tables of rules
    MALFORMED_TABLE = "malformed-table"
    TABLE_DATES_OVERLAP = "table-dates-overlap"
    TABLE_ENTRY_REPEATED = "table-entry-repeated"
    UNKNOWN_COUNTRY_LIST = "unknown-country-list"
    TABLE_DATES_WRONG = "table-dates-wrong"
    TABLE_DATES_GAP = "table-dates-gap"
    TABLE_VERSION_EXISTS = "table-version-exists"
    UNKNOWN_TABLE = "unknown-table"
    # documents
    DOCUMENT_TOO_LARGE = "document-too-large"
    MALFORMED_DOCUMENT = "malformed-document"
    DOCUMENT_DECLARES_ENTITIES = "document-declares-entities"
    # samples
    CONFIDENCE_OUT_OF_BOUNDS = "confidence-out-of-bounds"
    HOLE_OUT_OF_BOUNDS = "hole-out-of-bounds"
    MALFORMED_SAMPLING_FILE = "malformed-sampling-file"
    POPULATION_UNIT_REPEATED = "population-unit-repeated"
    POPULATION_CHANGED = "population-changed"
    MALFORMED_SEED = "malformed-seed"
    COMMITMENT_MISMATCH = "commitment-mismatch"
    PLAN_DOES_NOT_HOLD = "plan-does-not-hold"
    SAMPLE_DOES_NOT_HOLD = "sample-does-not-hold"
    # count sheets
    MALFORMED_SHEET = "malformed-sheet"
    SHEET_OF_ANOTHER_SAMPLE = "sheet-of-another-sample"
    UNKNOWN_SHEET_NUMBER = "unknown-sheet-number"
    UNKNOWN_OUTCOME = "unknown-outcome"
    SCAN_INCOMPLETE = "scan-incomplete"
    SCAN_CONTRADICTS = "scan-contradicts"
    SCAN_NAMES_NO_CHIP = "scan-names-no-chip"
    SERIAL_REWRITTEN = "serial-rewritten"
    ANSWER_NOT_ASKED = "answer-not-asked"
    ANSWER_WITHOUT_EVIDENCE = "answer-without-evidence"
    # cases
    CASE_STEP_NOT_POSSIBLE = "case-step-not-possible"
    CASE_STEP_FORBIDDEN = "case-step-forbidden"
    CASE_SECOND_PERSON = "case-second-person"
    CASE_OUTSIDE_SCOPE = "case-outside-scope"
    CASE_REASON_MISSING = "case-reason-missing"
    CASE_EVIDENCE_MISSING = "case-evidence-missing"
    CASE_EXPIRY_WRONG = "case-expiry-wrong"
    CASE_OWNER_MISSING = "case-owner-missing"
    CASE_MEMBER_NOT_TAKEN = "case-member-not-taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with one object.

    Attributes:
        code: stable code.
        where: path into the input, ``lines[0].serials[3]``, or empty for the whole.
        detail: what was wrong with which object.
        hint: what to do about it.
    """

    code: Code
    where: str
    detail: str
    hint: str

    def line(self) -> str:
        """Return the problem as one line of text."""
        at = f" at {self.where}" if self.where else ""
        return f"{self.code}{at}: {self.detail} ({self.hint})"


class BookError(Exception):
    """An input was refused as a whole; nothing of it was booked.

    Attributes:
        problems: everything that is wrong, at least one, in the order of the input.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.line() for problem in self.problems))

    @property
    def code(self) -> Code:
        """Code of the first problem."""
        return self.problems[0].code

    @property
    def detail(self) -> str:
        """Detail of the first problem."""
        return self.problems[0].detail

    @property
    def hint(self) -> str:
        """Hint of the first problem."""
        return self.problems[0].hint


def _pickled(error: BookError) -> tuple[type[BookError], tuple[tuple[Problem, ...]]]:
    return BookError, (error.problems,)


copyreg.pickle(BookError, _pickled)  # another process may refuse for this one


def refuse(code: Code, detail: str, *, where: str = "", hint: str) -> BookError:
    """Return the error for a single problem, to be raised."""
    return BookError([Problem(code=code, where=where, detail=detail, hint=hint)])
