"""Why the agents' doors say no, with stable codes, and the HTTP status of every code.

Codes of evidence (:class:`chipledger_evidence.errors.Code`) keep their own type; docs/ERRORS.md
lists all of them.
"""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from chipledger_evidence.errors import Code as EvidenceCode


class Code(StrEnum):
    """Stable codes of the agents' doors, of start-up and of configuration. Never reused."""

    # enrolment
    ENROLMENT_CODE_UNKNOWN = "enrolment-code-unknown"
    ENROLMENT_CODE_EXPIRED = "enrolment-code-expired"
    ENROLMENT_CODE_USED_UP = "enrolment-code-used-up"
    ENROLMENT_CODE_WRONG_SERIALS = "enrolment-code-wrong-serials"
    KEY_ALREADY_ENROLLED = "key-already-enrolled"
    # the request as a whole
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    MALFORMED_COMPRESSION = "malformed-compression"
    SLOW_BODY = "slow-body"
    RATE_LIMITED = "rate-limited"
    # our side
    DISK_FULL = "disk-full"
    OVERLOADED = "overloaded"
    STOPPING = "stopping"
    NOT_STORED = "not-stored"
    # start-up and configuration
    UNKNOWN_CONFIGURATION_KEY = "unknown-configuration-key"
    INVALID_CONFIGURATION = "invalid-configuration"
    PLAIN_HTTP_REFUSED = "plain-http-refused"
    NOT_INITIALISED = "not-initialised"
    ALREADY_INITIALISED = "already-initialised"
    DATABASE_IN_USE = "database-in-use"
    DATABASE_TOO_NEW = "database-too-new"
    MISSING_PART = "missing-part"
    FENCED = "fenced"


class ServerError(Exception):
    """Something was asked of the collector that it does not do.

    Attributes:
        code: stable code.
        detail: what happened to which object; never holds a secret.
        hint: what can be done about it, or an empty string.
        retry_after_s: when asking again makes sense, or None.
    """

    def __init__(
        self, code: Code, detail: str, *, hint: str = "", retry_after_s: int | None = None
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.hint = hint
        self.retry_after_s = retry_after_s


STATUS: Final[Mapping[str, HTTPStatus]] = {
    EvidenceCode.OVERSIZE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    EvidenceCode.UNKNOWN_KEY: HTTPStatus.NOT_FOUND,
    EvidenceCode.REVOKED_KEY: HTTPStatus.FORBIDDEN,
    EvidenceCode.BAD_SIGNATURE: HTTPStatus.FORBIDDEN,
    EvidenceCode.HIGH_S_SIGNATURE: HTTPStatus.FORBIDDEN,
    EvidenceCode.WRONG_HOST: HTTPStatus.FORBIDDEN,
    EvidenceCode.WRONG_SITE: HTTPStatus.FORBIDDEN,
    EvidenceCode.PROVIDER_NOT_ACCEPTED: HTTPStatus.FORBIDDEN,
    EvidenceCode.FOREIGN_NONCE: HTTPStatus.CONFLICT,
    EvidenceCode.SPENT_NONCE: HTTPStatus.CONFLICT,
    Code.ENROLMENT_CODE_UNKNOWN: HTTPStatus.FORBIDDEN,
    Code.ENROLMENT_CODE_EXPIRED: HTTPStatus.FORBIDDEN,
    Code.ENROLMENT_CODE_USED_UP: HTTPStatus.FORBIDDEN,
    Code.ENROLMENT_CODE_WRONG_SERIALS: HTTPStatus.FORBIDDEN,
    Code.KEY_ALREADY_ENROLLED: HTTPStatus.CONFLICT,
    Code.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Code.SLOW_BODY: HTTPStatus.REQUEST_TIMEOUT,
    Code.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.DISK_FULL: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.OVERLOADED: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.STOPPING: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.FENCED: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.NOT_STORED: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Every code that reaches HTTP through the agents' doors and is not a plain 400."""


def status_of(code: str) -> HTTPStatus:
    """Return the HTTP status of a stable code; what is malformed is 400."""
    return STATUS.get(code, HTTPStatus.BAD_REQUEST)
