"""Why an attestation result is refused: one stable code for each reason."""

from enum import StrEnum


class EarCode(StrEnum):
    """Stable codes of attestation results; docs/ERRORS.md lists each with who must act."""

    MALFORMED = "malformed-ear"
    UNKNOWN_PROFILE = "ear-unknown-profile"
    STATUS_TOO_GOOD = "ear-status-too-good"
    EXPIRED = "ear-expired"
    NONCE_MISMATCH = "ear-nonce-mismatch"


class EarError(Exception):
    """These bytes are no attestation result that may be used.

    Attributes:
        code: stable code, see :class:`EarCode`.
        detail: what was wrong, and with which submodule.
    """

    def __init__(self, code: EarCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
