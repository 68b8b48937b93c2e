"""Why a reader or an administrator gets no for an answer, with stable codes.

Codes of evidence and of the book keep their own error types; `web.problems` brings all of them
to HTTP, docs/ERRORS.md lists them.
"""

from enum import StrEnum


class Code(StrEnum):
    """Stable codes of requests that cannot be answered. Never reused, never redefined."""

    # who asks
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    OUTSIDE_SCOPE = "outside-scope"
    FORGED_FORM = "forged-form"
    # what is asked for
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    UNKNOWN_SITE = "unknown-site"
    UNKNOWN_HOST = "unknown-host"
    UNKNOWN_CHIP = "unknown-chip"
    UNKNOWN_FINDING = "unknown-finding"
    UNKNOWN_EVENT = "unknown-event"
    UNKNOWN_LOG_ENTRY = "unknown-log-entry"
    UNKNOWN_KEY = "unknown-key"
    UNKNOWN_PRINCIPAL = "unknown-principal"
    NO_RESULT_KEY = "no-result-key"
    # how it is asked
    INVALID_PARAMETER = "invalid-parameter"
    UNKNOWN_PARAMETER = "unknown-parameter"
    INVALID_CURSOR = "invalid-cursor"
    # administration
    RECEIPT_REPEATED = "receipt-repeated"
    MALFORMED_SCOPE = "malformed-scope"
    NAME_TAKEN = "name-taken"
    PARTY_KEY_TAKEN = "party-key-taken"
    LAST_ADMINISTRATOR = "last-administrator"
    ALREADY_REVOKED = "already-revoked"
    ALREADY_PROPOSED = "already-proposed"
    ALREADY_DECIDED = "already-decided"
    PROPOSAL_EXPIRED = "proposal-expired"
    SAME_PERSON = "same-person"
    PROPOSER_REVOKED = "proposer-revoked"
    UNKNOWN_PROPOSAL = "unknown-proposal"
    UNKNOWN_PERIOD = "unknown-period"
    PERIOD_TOO_LARGE = "period-too-large"
    UNKNOWN_SAMPLE = "unknown-sample"
    COMMITMENT_USED = "commitment-used"
    ALREADY_DRAWN = "already-drawn"
    NOT_DRAWN = "not-drawn"
    ALREADY_ANNOUNCED = "already-announced"
    NOT_COUNTED = "not-counted"
    ALREADY_CONCLUDED = "already-concluded"
    ANSWERS_AWAITED = "answers-awaited"
    TABLE_NOT_APPROVED = "table-not-approved"
    # cases
    CASE_CHANGED = "case-changed"
    REQUEST_REUSED = "request-reused"
    # our fault
    INTERNAL_ERROR = "internal-error"


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault of ours
    """A request was understood and is not answered.

    Attributes:
        code: stable code.
        detail: what was asked and why the answer is no; never holds a secret.
        hint: what the asker can do, or an empty string.
    """

    def __init__(self, code: Code, detail: str, *, hint: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.hint = hint
