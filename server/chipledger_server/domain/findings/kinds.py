"""What the collector finds by itself: types and severities."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from chipledger_book.terms import Severity


class Kind(StrEnum):
    """Types of findings."""

    DUPLICATE_IDENTITY = "duplicate-identity"
    IDENTITY_CHANGED = "identity-changed"
    CHAIN_GAP = "chain-gap"
    CHAIN_FORK = "chain-fork"
    CHAIN_RESUMED = "chain-resumed"
    REFUSED_REPORT = "refused-report"
    UEID_REUSED = "ueid-reused"
    PCI_NVML_DIFFER = "pci-nvml-differ"
    UNKNOWN_SKU = "unknown-sku"
    CLOCK_ODD = "clock-odd"
    SILENT_HOST = "silent-host"
    MASS_SILENCE = "mass-silence"
    SCAN_INCOMPLETE = "scan-incomplete"
    SCANS_SKIPPED = "scans-skipped"
    LOG_CONFLICT = "log-conflict"
    GRADE_DROP = "grade-drop"
    IDENTITY_CHANGED_IN_SLOT = "identity-changed-in-slot"
    CERT_NVML_MISMATCH = "cert-nvml-mismatch"
    HOST_KEY_CLONED = "host-key-cloned"
    TPM_QUOTE_REFUSED = "tpm-quote-refused"
    TPM_QUOTE_MISSING = "tpm-quote-missing"
    COUNTER_BACKWARD = "counter-backward"
    LIBRARY_SUSPECT = "library-suspect"
    FIELD_WENT_MISSING = "field-went-missing"
    HIDDEN_CHIP = "hidden-chip"
    BMC_DIFFERS = "bmc-differs"
    EVIDENCE_REFUSED = "evidence-refused"


_KINDS: Final = frozenset(Kind)
HOST_KINDS: Final[Mapping[str, Kind]] = {kind.value: kind for kind in Kind}
"""The types that tokens of a host show; facts of the book bring types of their own."""


def severity_of(kind: str) -> Severity:
    """Return the severity a type begins with, where a fact brings none of its own."""
    return SEVERITY[Kind(kind)] if kind in _KINDS else Severity.MEDIUM


SEVERITY: Final[Mapping[Kind, Severity]] = {
    Kind.DUPLICATE_IDENTITY: Severity.CRITICAL,
    Kind.IDENTITY_CHANGED: Severity.HIGH,
    Kind.CHAIN_GAP: Severity.MEDIUM,
    Kind.CHAIN_FORK: Severity.HIGH,
    Kind.CHAIN_RESUMED: Severity.MEDIUM,
    Kind.REFUSED_REPORT: Severity.MEDIUM,
    Kind.UEID_REUSED: Severity.HIGH,
    Kind.PCI_NVML_DIFFER: Severity.HIGH,
    Kind.UNKNOWN_SKU: Severity.MEDIUM,
    Kind.CLOCK_ODD: Severity.LOW,
    Kind.SILENT_HOST: Severity.MEDIUM,
    Kind.MASS_SILENCE: Severity.HIGH,
    Kind.SCAN_INCOMPLETE: Severity.MEDIUM,
    Kind.SCANS_SKIPPED: Severity.LOW,
    Kind.LOG_CONFLICT: Severity.CRITICAL,
    Kind.GRADE_DROP: Severity.HIGH,
    Kind.IDENTITY_CHANGED_IN_SLOT: Severity.LOW,
    Kind.CERT_NVML_MISMATCH: Severity.HIGH,
    Kind.HOST_KEY_CLONED: Severity.CRITICAL,
    Kind.TPM_QUOTE_REFUSED: Severity.HIGH,
    Kind.TPM_QUOTE_MISSING: Severity.MEDIUM,
    Kind.COUNTER_BACKWARD: Severity.HIGH,
    Kind.LIBRARY_SUSPECT: Severity.HIGH,
    Kind.FIELD_WENT_MISSING: Severity.MEDIUM,
    Kind.HIDDEN_CHIP: Severity.CRITICAL,
    Kind.BMC_DIFFERS: Severity.HIGH,
    Kind.EVIDENCE_REFUSED: Severity.HIGH,
}
