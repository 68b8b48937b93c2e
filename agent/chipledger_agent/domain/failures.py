"""The agent's own errors: stable codes, which object, what to do about it."""

from enum import StrEnum


class AgentCode(StrEnum):
    """Stable codes of what can go wrong on the host; docs/AGENT.md says who must act."""

    CONFIG_UNREADABLE = "config-unreadable"
    CONFIG_UNKNOWN_KEY = "config-unknown-key"
    CONFIG_BAD_VALUE = "config-bad-value"
    KEY_MISSING = "key-missing"
    KEY_EXISTS = "key-exists"
    KEY_EXPOSED = "key-exposed"
    KEY_UNREADABLE = "key-unreadable"
    REPORTS_WAIT = "reports-wait"
    TPM_ABSENT = "tpm-absent"
    TPM_BUSY = "tpm-busy"
    TPM_LOCKED_OUT = "tpm-locked-out"
    TPM_KEY_FOREIGN = "tpm-key-foreign"
    TPM_REFUSED = "tpm-refused"
    TPM_FAILED = "tpm-failed"
    TPM_PART_MISSING = "tpm-part-missing"
    CODE_UNREADABLE = "code-unreadable"
    NOT_ENROLLED = "not-enrolled"
    STATE_IN_USE = "state-in-use"
    STATE_UNREADABLE = "state-unreadable"
    STORAGE_FAILED = "storage-failed"
    SPOOL_FULL = "spool-full"
    REPORT_TOO_LARGE = "report-too-large"
    REPORT_MALFORMED = "report-malformed"
    REPORT_UNREADABLE = "report-unreadable"
    SEQ_DOUBLED = "seq-doubled"
    CAPTURE_FAILED = "capture-failed"
    PIN_UNREADABLE = "pin-unreadable"
    COLLECTOR_UNREACHABLE = "collector-unreachable"
    COLLECTOR_UNTRUSTED = "collector-untrusted"
    COLLECTOR_BUSY = "collector-busy"
    COLLECTOR_CONFUSED = "collector-confused"


class AgentError(Exception):
    """Something the agent cannot do now.

    Attributes:
        code: stable code: a :class:`AgentCode`, or the code the collector answered.
        detail: what, on which object; never holds a secret.
        hint: what a person can do about it, or an empty string.
    """

    def __init__(self, code: str, detail: str, *, hint: str = "") -> None:
        super().__init__(f"{code}: {detail}" + (f" ({hint})" if hint else ""))
        self.code = str(code)
        self.detail = detail
        self.hint = hint


class CollectorUnavailable(AgentError):  # noqa: N818 - a state of the collector, not a fault here
    """Nothing is known to have been taken; the same request may be repeated later.

    Attributes:
        retry_after_s: seconds the collector asked to be left alone for, if it said so.
    """

    def __init__(
        self, code: str, detail: str, *, hint: str = "", retry_after_s: int | None = None
    ) -> None:
        super().__init__(code, detail, hint=hint)
        self.retry_after_s = retry_after_s


class CollectorRefused(AgentError):  # noqa: N818 - a decision of the collector, not a fault here
    """The collector refused the request as a whole; repeating it unchanged will not help."""
