"""Why the agents' doors say no, with stable codes.

Codes of evidence (:class:`chipledger_evidence.errors.Code`) keep their own type; docs/ERRORS.md
lists all of them.
"""

from enum import StrEnum


class Code(StrEnum):
    """Stable codes of the agents' doors, of start-up and of configuration. Never reused."""

    # enrolment
    ENROLMENT_CODE_UNKNOWN = "enrolment-code-unknown"
    ENROLMENT_CODE_EXPIRED = "enrolment-code-expired"
    ENROLMENT_CODE_USED_UP = "enrolment-code-used-up"
    ENROLMENT_CODE_WRONG_SERIALS = "enrolment-code-wrong-serials"
    KEY_ALREADY_ENROLLED = "key-already-enrolled"
    ACTIVATION_UNKNOWN = "activation-unknown"
    ACTIVATION_EXPIRED = "activation-expired"
    ROTATION_EXPIRED = "rotation-expired"
    EK_OF_ANOTHER_HOST = "ek-of-another-host"
    ANOTHER_EK = "another-ek"
    HOST_RETIRED = "host-retired"
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
    WRITER_ENDED = "writer-ended"
    SYSTEM_REFUSED = "system-refused"


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
