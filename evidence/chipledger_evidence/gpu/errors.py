"""Why device evidence is no proof: one stable code for each reason."""

from enum import StrEnum


class GpuCode(StrEnum):
    """Stable codes of GPU evidence; docs/ERRORS.md lists each with who must act."""

    UNKNOWN_KIND = "evidence-unknown-kind"
    MALFORMED_ENVELOPE = "evidence-malformed-envelope"
    CHAIN_TOO_LARGE = "chain-too-large"
    CHAIN_MALFORMED = "chain-malformed"
    CHAIN_WRONG_COUNT = "chain-wrong-count"
    CHAIN_NOT_LINKED = "chain-not-linked"
    CHAIN_WRONG_ROOT = "chain-wrong-root"
    CHAIN_WRONG_ALGORITHM = "chain-wrong-algorithm"
    CHAIN_WRONG_USAGE = "chain-wrong-usage"
    CHAIN_BAD_SIGNATURE = "chain-bad-signature"
    CHAIN_NOT_VALID_NOW = "chain-not-valid-now"
    NOT_A_GPU = "not-a-gpu"
    UNKNOWN_DEVICE = "unknown-device-class"
    SERIAL_NOT_A_PDI = "serial-not-a-pdi"
    CONTRADICTS_CERTIFICATE = "contradicts-certificate"
    NO_REPORT = "no-report"
    SPDM_TOO_LARGE = "spdm-too-large"
    SPDM_TRUNCATED = "spdm-truncated"
    SPDM_TRAILING = "spdm-trailing-bytes"
    SPDM_MALFORMED = "spdm-malformed"
    SPDM_UNSUPPORTED = "spdm-version-unsupported"
    OPAQUE_MALFORMED = "opaque-malformed"
    OPAQUE_DUPLICATE = "opaque-duplicate-field"
    OPAQUE_UNSUPPORTED = "opaque-version-unsupported"
    SPDM_BAD_SIGNATURE = "spdm-bad-signature"
    SPDM_NONCE_MISMATCH = "spdm-nonce-mismatch"
    NONCE_NOT_GIVEN = "nonce-not-given"
    FIRMWARE_MISMATCH = "firmware-id-mismatch"
    REVOKED = "certificate-revoked"
    REVOCATION_UNKNOWN = "revocation-unknown"
    MANIFEST_NOT_CHECKED = "manifest-not-checked"
    MEASUREMENT_MISMATCH = "measurement-mismatch"
    NOT_JUDGED = "evidence-not-judged"


class GpuEvidenceError(Exception):
    """These bytes are no evidence of the expected form; nothing they say may be used.

    Attributes:
        code: stable code, see :class:`GpuCode`.
        detail: what was wrong, with offset or certificate where one can be named.
    """

    def __init__(self, code: GpuCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
