"""The one table from what went wrong to HTTP, for API and screens.

A problem document (RFC 9457) carries a stable code, what happened to which object, and what can
be done. Nothing of an unforeseen failure reaches the reader but its code.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from litestar.exceptions import HTTPException

from chipledger_book.errors import BookError
from chipledger_book.errors import Code as BookCode
from chipledger_evidence.answers import Problem
from chipledger_evidence.errors import Code as EvidenceCode
from chipledger_evidence.errors import EvidenceError
from chipledger_server.domain.codes import ServerError
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.web.statuses import status_of

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[Mapping[Code, HTTPStatus]] = {
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Code.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Code.OUTSIDE_SCOPE: HTTPStatus.FORBIDDEN,
    Code.FORGED_FORM: HTTPStatus.FORBIDDEN,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.UNKNOWN_SITE: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_HOST: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_CHIP: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_FINDING: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_EVENT: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_LOG_ENTRY: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_KEY: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_PRINCIPAL: HTTPStatus.NOT_FOUND,
    Code.NO_RESULT_KEY: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.INVALID_PARAMETER: HTTPStatus.BAD_REQUEST,
    Code.UNKNOWN_PARAMETER: HTTPStatus.BAD_REQUEST,
    Code.INVALID_CURSOR: HTTPStatus.BAD_REQUEST,
    Code.RECEIPT_REPEATED: HTTPStatus.CONFLICT,
    Code.MALFORMED_SCOPE: HTTPStatus.BAD_REQUEST,
    Code.NAME_TAKEN: HTTPStatus.CONFLICT,
    Code.PARTY_KEY_TAKEN: HTTPStatus.CONFLICT,
    Code.LAST_ADMINISTRATOR: HTTPStatus.CONFLICT,
    Code.ALREADY_REVOKED: HTTPStatus.CONFLICT,
    Code.ALREADY_PROPOSED: HTTPStatus.CONFLICT,
    Code.ALREADY_DECIDED: HTTPStatus.CONFLICT,
    Code.PROPOSAL_EXPIRED: HTTPStatus.CONFLICT,
    Code.SAME_PERSON: HTTPStatus.FORBIDDEN,
    Code.PROPOSER_REVOKED: HTTPStatus.CONFLICT,
    Code.PERIOD_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.UNKNOWN_PROPOSAL: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_SAMPLE: HTTPStatus.NOT_FOUND,
    Code.COMMITMENT_USED: HTTPStatus.CONFLICT,
    Code.ALREADY_DRAWN: HTTPStatus.CONFLICT,
    Code.NOT_DRAWN: HTTPStatus.CONFLICT,
    Code.ALREADY_ANNOUNCED: HTTPStatus.CONFLICT,
    Code.NOT_COUNTED: HTTPStatus.CONFLICT,
    Code.ALREADY_CONCLUDED: HTTPStatus.CONFLICT,
    Code.ANSWERS_AWAITED: HTTPStatus.CONFLICT,
    Code.TABLE_NOT_APPROVED: HTTPStatus.CONFLICT,
    Code.UNKNOWN_PERIOD: HTTPStatus.NOT_FOUND,
    Code.CASE_CHANGED: HTTPStatus.CONFLICT,
    Code.REQUEST_REUSED: HTTPStatus.CONFLICT,
    Code.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Every code of a refused request; a test holds the table complete."""

BOOK_STATUS: Final[Mapping[BookCode, HTTPStatus]] = {
    BookCode.UNKNOWN_SITE: HTTPStatus.NOT_FOUND,
    BookCode.UNKNOWN_TABLE: HTTPStatus.NOT_FOUND,
    BookCode.TABLE_VERSION_EXISTS: HTTPStatus.CONFLICT,
    BookCode.MALFORMED_TABLE: HTTPStatus.BAD_REQUEST,
    BookCode.TABLE_DATES_OVERLAP: HTTPStatus.BAD_REQUEST,
    BookCode.TABLE_DATES_GAP: HTTPStatus.BAD_REQUEST,
    BookCode.TABLE_DATES_WRONG: HTTPStatus.BAD_REQUEST,
    BookCode.TABLE_ENTRY_REPEATED: HTTPStatus.BAD_REQUEST,
    BookCode.UNKNOWN_COUNTRY_LIST: HTTPStatus.BAD_REQUEST,
    BookCode.UNKNOWN_COUNTRY: HTTPStatus.BAD_REQUEST,
    BookCode.UNKNOWN_QUANTITY_UNIT: HTTPStatus.BAD_REQUEST,
    BookCode.PERIOD_WRONG: HTTPStatus.BAD_REQUEST,
    BookCode.PERIOD_OVERLAPS: HTTPStatus.CONFLICT,
    BookCode.PERIOD_GAP: HTTPStatus.BAD_REQUEST,
    BookCode.PERIOD_ALREADY_FROZEN: HTTPStatus.CONFLICT,
    BookCode.PERIOD_NOT_CLOSED: HTTPStatus.CONFLICT,
    BookCode.NOTHING_TO_RESTATE: HTTPStatus.CONFLICT,
    BookCode.SIGN_OFF_SUPERSEDED: HTTPStatus.CONFLICT,
    BookCode.SIGN_OFF_OUT_OF_ORDER: HTTPStatus.CONFLICT,
    BookCode.SIGN_OFF_SAME_PERSON: HTTPStatus.FORBIDDEN,
    BookCode.ALREADY_ANSWERED: HTTPStatus.CONFLICT,
    BookCode.ALREADY_CORRECTED: HTTPStatus.CONFLICT,
    BookCode.EVENT_ANSWERED: HTTPStatus.CONFLICT,
    BookCode.SITE_IN_USE: HTTPStatus.CONFLICT,
    BookCode.TOO_MANY_STATEMENTS: HTTPStatus.CONFLICT,
    BookCode.STATEMENT_CONTRADICTS: HTTPStatus.CONFLICT,
    BookCode.STATEMENT_BY_WRONG_ROLE: HTTPStatus.FORBIDDEN,
    BookCode.STATEMENT_BY_WRONG_PARTY: HTTPStatus.FORBIDDEN,
    BookCode.STATEMENT_BEFORE_EVENT: HTTPStatus.BAD_REQUEST,
    BookCode.NOT_YOURS_TO_ENTER: HTTPStatus.FORBIDDEN,
    BookCode.MALFORMED_EVENT: HTTPStatus.BAD_REQUEST,
    BookCode.MALFORMED_DOCUMENT: HTTPStatus.BAD_REQUEST,
    BookCode.DOCUMENT_DECLARES_ENTITIES: HTTPStatus.BAD_REQUEST,
    BookCode.DOCUMENT_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    BookCode.CONFIDENCE_OUT_OF_BOUNDS: HTTPStatus.BAD_REQUEST,
    BookCode.HOLE_OUT_OF_BOUNDS: HTTPStatus.BAD_REQUEST,
    BookCode.MALFORMED_SEED: HTTPStatus.BAD_REQUEST,
    BookCode.COMMITMENT_MISMATCH: HTTPStatus.CONFLICT,
    BookCode.POPULATION_CHANGED: HTTPStatus.CONFLICT,
    BookCode.MALFORMED_SHEET: HTTPStatus.BAD_REQUEST,
    BookCode.SHEET_OF_ANOTHER_SAMPLE: HTTPStatus.CONFLICT,
    BookCode.UNKNOWN_SHEET_NUMBER: HTTPStatus.BAD_REQUEST,
    BookCode.UNKNOWN_OUTCOME: HTTPStatus.BAD_REQUEST,
    BookCode.SCAN_INCOMPLETE: HTTPStatus.BAD_REQUEST,
    BookCode.SCAN_CONTRADICTS: HTTPStatus.BAD_REQUEST,
    BookCode.SCAN_NAMES_NO_CHIP: HTTPStatus.BAD_REQUEST,
    BookCode.SERIAL_REWRITTEN: HTTPStatus.BAD_REQUEST,
    BookCode.CASE_STEP_NOT_POSSIBLE: HTTPStatus.CONFLICT,
    BookCode.CASE_STEP_FORBIDDEN: HTTPStatus.FORBIDDEN,
    BookCode.CASE_SECOND_PERSON: HTTPStatus.FORBIDDEN,
    BookCode.CASE_OUTSIDE_SCOPE: HTTPStatus.FORBIDDEN,
    BookCode.CASE_REASON_MISSING: HTTPStatus.BAD_REQUEST,
    BookCode.CASE_EVIDENCE_MISSING: HTTPStatus.BAD_REQUEST,
    BookCode.CASE_EXPIRY_WRONG: HTTPStatus.BAD_REQUEST,
    BookCode.CASE_OWNER_MISSING: HTTPStatus.BAD_REQUEST,
    BookCode.CASE_MEMBER_NOT_TAKEN: HTTPStatus.BAD_REQUEST,
}
"""What the book refuses to somebody who asks through the web; all else here is our own fault."""

_FRAMEWORK: Final[Mapping[int, Code]] = {
    HTTPStatus.BAD_REQUEST: Code.INVALID_PARAMETER,
    HTTPStatus.UNAUTHORIZED: Code.UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: Code.FORBIDDEN,
    HTTPStatus.NOT_FOUND: Code.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: Code.METHOD_NOT_ALLOWED,
}
"""Codes for what the framework itself refuses before a handler runs."""


def problem_of(error: Exception) -> Problem:
    """Return the problem document of anything that was raised while answering."""
    match error:
        case Refusal():
            return _problem(STATUS[error.code], error.code, error.detail, error.hint)
        case BookError():
            status = BOOK_STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
            return _problem(status, error.code, error.detail, error.hint)
        case EvidenceError() | ServerError():
            return _problem(status_of(error.code), error.code, error.detail, error.hint)
        case HTTPException() if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            detail = "the body is larger than what this address takes"
            return _problem(error.status_code, EvidenceCode.OVERSIZE, detail, "split it")
        case HTTPException() if error.status_code in _FRAMEWORK:
            code = _FRAMEWORK[error.status_code]
            return _problem(STATUS[code], code, _framework_detail(error), "")
        case _:
            return _problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                Code.INTERNAL_ERROR,
                "the collector failed to answer; its log says why",
                "try again; tell the administrator the time of the request",
            )


def title_of(code: str) -> str:
    """Return the short text of a code."""
    return code.replace("-", " ").capitalize()


def _problem(status: int, code: str, detail: str, hint: str) -> Problem:
    return Problem(
        code=str(code),
        detail=detail,
        status=int(status),
        title=title_of(str(code)),
        type=f"about:blank#{code}",
        hint=hint or None,
    )


def _framework_detail(error: HTTPException) -> str:
    """Return what the framework found wrong, parameter by parameter where it says so."""
    extra = error.extra if isinstance(error.extra, list) else []
    parts = [
        f"{item.get('key', 'request')}: {item.get('message', 'not valid')}"
        for item in extra
        if isinstance(item, dict)
    ]
    if parts:
        return "; ".join(parts)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "there is nothing at this address"
    return HTTPStatus(error.status_code).phrase
