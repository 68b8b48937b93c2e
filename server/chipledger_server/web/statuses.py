"""The HTTP status of every code that reaches HTTP through the agents' doors."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from chipledger_evidence.errors import Code as EvidenceCode
from chipledger_server.domain.codes import Code

STATUS: Final[Mapping[str, HTTPStatus]] = {
    EvidenceCode.OVERSIZE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    EvidenceCode.UNKNOWN_KEY: HTTPStatus.NOT_FOUND,
    EvidenceCode.REVOKED_KEY: HTTPStatus.FORBIDDEN,
    EvidenceCode.BAD_SIGNATURE: HTTPStatus.FORBIDDEN,
    EvidenceCode.HIGH_S_SIGNATURE: HTTPStatus.FORBIDDEN,
    EvidenceCode.WRONG_HOST: HTTPStatus.FORBIDDEN,
    EvidenceCode.WRONG_SITE: HTTPStatus.FORBIDDEN,
    EvidenceCode.PROVIDER_NOT_ACCEPTED: HTTPStatus.FORBIDDEN,
    EvidenceCode.TPM_KEY_ATTRIBUTES: HTTPStatus.FORBIDDEN,
    EvidenceCode.TPM_STATEMENT_MISMATCH: HTTPStatus.FORBIDDEN,
    EvidenceCode.EK_MISMATCH: HTTPStatus.FORBIDDEN,
    EvidenceCode.EK_CERTIFICATE_FORGED: HTTPStatus.FORBIDDEN,
    EvidenceCode.FOREIGN_NONCE: HTTPStatus.CONFLICT,
    EvidenceCode.SPENT_NONCE: HTTPStatus.CONFLICT,
    Code.ENROLMENT_CODE_UNKNOWN: HTTPStatus.FORBIDDEN,
    Code.ENROLMENT_CODE_EXPIRED: HTTPStatus.FORBIDDEN,
    Code.ENROLMENT_CODE_USED_UP: HTTPStatus.FORBIDDEN,
    Code.ENROLMENT_CODE_WRONG_SERIALS: HTTPStatus.FORBIDDEN,
    Code.KEY_ALREADY_ENROLLED: HTTPStatus.CONFLICT,
    Code.ACTIVATION_UNKNOWN: HTTPStatus.NOT_FOUND,
    Code.ACTIVATION_EXPIRED: HTTPStatus.GONE,
    Code.ROTATION_EXPIRED: HTTPStatus.GONE,
    Code.EK_OF_ANOTHER_HOST: HTTPStatus.CONFLICT,
    Code.ANOTHER_EK: HTTPStatus.CONFLICT,
    Code.HOST_RETIRED: HTTPStatus.FORBIDDEN,
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
