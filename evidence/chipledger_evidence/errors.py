"""The one error type of this package, and its stable codes.

A code is never reused and never changes its meaning; docs/ERRORS.md lists every code, who
must act, and whether a retry can help.
"""

from enum import StrEnum


class Code(StrEnum):
    """Stable codes of what can be wrong with bytes that claim to be evidence."""

    OVERSIZE = "oversize"
    MALFORMED_JSON = "malformed-json"
    NOT_CANONICAL = "not-canonical"
    MALFORMED_BASE64 = "malformed-base64"
    MALFORMED_FRAMING = "malformed-framing"
    MALFORMED_TOKEN = "malformed-token"  # noqa: S105 - an error code, not a secret
    MALFORMED_KEY = "malformed-key"
    UNKNOWN_KEY = "unknown-key"
    REVOKED_KEY = "revoked-key"
    WRONG_ALGORITHM = "wrong-algorithm"
    BAD_SIGNATURE = "bad-signature"
    HIGH_S_SIGNATURE = "high-s-signature"
    WRONG_HOST = "wrong-host"
    WRONG_SITE = "wrong-site"
    FOREIGN_NONCE = "foreign-nonce"
    SPENT_NONCE = "spent-nonce"
    PROVIDER_NOT_ACCEPTED = "provider-not-accepted"
    INVENTORY_DIGEST_MISMATCH = "inventory-digest-mismatch"
    MALFORMED_PROOF = "malformed-proof"
    PROOF_MISMATCH = "proof-mismatch"
    MALFORMED_ENTRY = "malformed-entry"
    MALFORMED_TPM = "malformed-tpm"
    TPM_KEY_ATTRIBUTES = "tpm-key-attributes"
    TPM_STATEMENT_MISMATCH = "tpm-statement-mismatch"
    EK_MISMATCH = "ek-mismatch"
    EK_CERTIFICATE_FORGED = "ek-certificate-forged"
    WRONG_TIER = "wrong-tier"


class EvidenceError(Exception):
    """Bytes were refused; nothing they say may be used.

    Attributes:
        code: stable code, see :class:`Code`.
        detail: what was wrong with which object; never holds a secret.
        hint: what the sender can do about it, or an empty string.
    """

    def __init__(self, code: Code, detail: str, *, hint: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.hint = hint
