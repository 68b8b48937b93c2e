"""What the collector finds by itself: types, severities, words, and innocent explanations.

A finding is a fact that somebody should explain, never a verdict. Two kinds: a *condition* of
a host or site is resolved when it ends; an *event* has happened and stays open.
"""

import hashlib
from base64 import b32encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from chipledger_evidence.codec import Wire, encode_canonical
from chipledger_evidence.inventory import Count, Text

Detail = Mapping[str, Any]
"""What was seen: texts, whole numbers, and lists of them, under fixed names."""

MOST_LISTED: Final = 32
_ID_CHARACTERS: Final = 26


class Severity(StrEnum):
    """How much a finding can hide."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


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

INNOCENT: Final[Mapping[Kind, Sequence[str]]] = {
    Kind.DUPLICATE_IDENTITY: (
        "the board was moved to the other server and back between two reports",
        "the board was moved while the scan of the server it came from failed",
        "a system image was cloned together with the agent's state",
    ),
    Kind.IDENTITY_CHANGED: (
        "the board was repaired and given a new identity by its maker",
        "a driver reported one of the two identifiers wrongly before",
    ),
    Kind.CHAIN_GAP: (
        "reports still wait in the host's spool and will come",
        "the host's disk was full and reports could not be kept",
    ),
    Kind.CHAIN_FORK: (
        "the host's disk was restored from a backup or a snapshot",
        "a virtual machine was cloned while the agent ran",
    ),
    Kind.CHAIN_RESUMED: ("the host was reinstalled, or its disk was replaced",),
    Kind.REFUSED_REPORT: (
        "somebody else sent a report in this host's name; its key refused it",
        "the host sent an old report again after its challenge was used",
        "a report that waited on the host was damaged, and the host put it aside by itself",
    ),
    Kind.UEID_REUSED: (
        "the machine was reinstalled, its key was lost, and it was enrolled anew",
        "the servers were set up from one image that holds a machine's identity",
        "their maker gave two machines the same identity",
    ),
    Kind.PCI_NVML_DIFFER: (
        "the driver was being updated or a device reset during the scan",
        "a device is handed to a virtual machine",
    ),
    Kind.UNKNOWN_SKU: ("a new model, or a variant, that the chip catalogue does not hold yet",),
    Kind.CLOCK_ODD: ("time synchronisation is off or not set up on the host",),
    Kind.SILENT_HOST: (
        "the server is switched off, in repair, or its network is down",
        "the agent was stopped during maintenance",
    ),
    Kind.MASS_SILENCE: ("a power or network outage at the site", "planned maintenance"),
    Kind.SCAN_INCOMPLETE: (
        "the driver is being updated, or is not loaded yet after boot",
        "a chip has failed and its driver does not answer",
    ),
    Kind.SCANS_SKIPPED: ("the host's disk was full", "the host was too busy to scan in time"),
    Kind.LOG_CONFLICT: ("none that the collector could give for itself: ask its operator",),
    Kind.GRADE_DROP: (
        "the host left confidential computing, or a mode or driver change took the ability away",
        "the agent's source of evidence is broken or was turned off",
        "the chip has a defect and does not answer for evidence any more",
    ),
    Kind.IDENTITY_CHANGED_IN_SLOT: (
        "a board was swapped for a spare or a repaired one, as happens to some in every hundred",
    ),
    Kind.CERT_NVML_MISMATCH: (
        "a new variant whose die the chip catalogue does not connect with its name yet",
    ),
    Kind.TPM_QUOTE_MISSING: (
        "another program was using the TPM when the report was made; the next one has the quote",
        "the TPM has no bank of SHA-256 registers",
    ),
    Kind.TPM_QUOTE_REFUSED: (
        "a faulty TPM, or one whose software stack answers for another",
        "a registers' bank was switched off by a firmware update",
    ),
    Kind.HOST_KEY_CLONED: (
        "a mainboard, and its TPM with it, was moved to another server without saying so",
        "a virtual machine was cloned together with the state of its software TPM",
    ),
    Kind.COUNTER_BACKWARD: (
        "the board was repaired, and its memory of errors and of time erased",
        "an administrator reset the aggregate error counts",
        "power was lost before the board had written its newest counts down",
    ),
    Kind.LIBRARY_SUSPECT: (
        "the agent runs in a container that brings its own driver libraries and view of /proc",
        "another distribution's build of the same driver version",
        "a driver upgrade is half done until the next boot",
    ),
    Kind.FIELD_WENT_MISSING: (
        "a firmware update of the board, or a mode such as MIG, took the value away",
    ),
    Kind.BMC_DIFFERS: (
        "a board was just swapped, and one of the two has not noticed yet",
        "the firmware of the management controller lags or lists boards by other names",
    ),
    Kind.HIDDEN_CHIP: (
        "the chip fell off its host's bus and waits for repair",
        "the chip is handed to a virtual machine that was not linked to this host",
    ),
    Kind.EVIDENCE_REFUSED: (
        "an agent kept evidence past the life of its challenge",
        "a management controller mixed up two of its chips, or cut a report short",
        "the driver signs in a form that this version does not read yet",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a finding is about.

    Attributes:
        kind: its type.
        subject: host id or site id.
        site: its site.
        host: its host.
        chip: its chip.
    """

    kind: Kind
    subject: str
    site: str
    host: str | None = None
    chip: int | None = None


class FindingRecord(Wire, frozen=True, kw_only=True):
    """The record behind an entry of type ``finding``: opened or resolved.

    Attributes:
        at: Unix milliseconds.
        detail: what was seen.
        id: names the finding.
        severity: how much it can hide.
        state: what has just become of it; ``open`` again where it has grown.
        subject: host id or site id it is about.
        type: its type.
        chip: the chip it is about.
        site: its site.
        v: version of this format.
    """

    at: Count
    detail: dict[str, Any]
    id: Text
    severity: Severity
    state: Literal["open", "resolved"]
    subject: Text
    type: Kind
    chip: Count | None = None
    site: Text | None = None
    v: Literal[1] = 1


def finding_id(kind: Kind, subject: str, start: str) -> str:
    """Return the id of a finding: the same fact always has the same one.

    Args:
        kind: its type.
        subject: host, site or chip it is about.
        start: what began it: the identity of a token, or a time.
    """
    digest = hashlib.sha256(f"chipledger/finding/1\0{kind}\0{subject}\0{start}".encode()).digest()
    return "f-" + b32encode(digest).decode("ascii").lower()[:_ID_CHARACTERS]


def encode_detail(detail: Detail) -> bytes:
    """Return the canonical JSON of a detail."""
    return encode_canonical(dict(detail))


def in_words(kind: Kind, detail: Detail) -> str:
    """Return one sentence that says what was seen."""
    return _WORDS[kind](detail)


def _listed(items: Sequence[object]) -> str:
    return "; ".join(str(item) for item in items)


_WORDS: Final[Mapping[Kind, Callable[[Detail], str]]] = {
    Kind.DUPLICATE_IDENTITY: lambda d: (
        f"Seen on {d['disputed_host']} at {d['disputed_site']} between two sightings on"
        f" {d['kept_host']} at {d['kept_site']}, where they count: {_listed(d['chips'])}"
        f"{', and more' if d['more'] else ''}."
    ),
    Kind.IDENTITY_CHANGED: lambda d: (
        f"The pair of identifiers of a chip changed: {_listed(d['changes'])}."
    ),
    Kind.CHAIN_GAP: lambda d: f"{d['count']} reports never came: numbers {_listed(d['missing'])}.",
    Kind.CHAIN_FORK: lambda d: (
        f"The chain of reports split at number {d['seq']}: two histories of one host."
    ),
    Kind.CHAIN_RESUMED: lambda d: (
        f"The host lost its state and continued from the collector's at number {d['seq']}."
    ),
    Kind.REFUSED_REPORT: lambda d: f"A report was refused: {d['code']} ({d['what']}).",
    Kind.UEID_REUSED: lambda d: (
        f"The machine's identity was enrolled before, as {d['other_host']} at {d['other_site']},"
        " with another key: two machines may bear it, or one reports as two hosts."
    ),
    Kind.PCI_NVML_DIFFER: lambda d: (
        f"The views of NVML, PCI and the kernel module differ: {_listed(d['differences'])}."
    ),
    Kind.UNKNOWN_SKU: lambda d: (
        f"The chip catalogue does not know: {_listed(d['models'])}. They count for nothing"
        " known, which is not zero."
    ),
    Kind.CLOCK_ODD: lambda d: (
        f"The host's clock differs from the collector's by {d['difference_s']} s."
    ),
    Kind.SILENT_HOST: lambda _: "The host has sent no fresh report for longer than it may.",
    Kind.MASS_SILENCE: lambda d: (
        f"{d['silent']} of {d['hosts']} hosts of the site fell silent together."
    ),
    Kind.SCAN_INCOMPLETE: lambda d: f"The scan could not see everything: {_listed(d['what'])}.",
    Kind.SCANS_SKIPPED: lambda d: f"{d['skipped']} scans were not made or not kept.",
    Kind.LOG_CONFLICT: lambda _: (
        "The host holds two signed checkpoints of this collector's log that contradict each other."
    ),
    Kind.GRADE_DROP: lambda d: (
        f"Chips are known less well than they once were: {_listed(d['chips'])}."
    ),
    Kind.IDENTITY_CHANGED_IN_SLOT: lambda d: (
        f"Another chip stands in a slot: {_listed(d['changes'])}."
    ),
    Kind.CERT_NVML_MISMATCH: lambda d: (
        f"A chip's certificate contradicts the driver: {_listed(d['differences'])}."
    ),
    Kind.TPM_QUOTE_MISSING: lambda _: (
        "A host whose key is in a TPM reports without its TPM's word on how it was started."
    ),
    Kind.TPM_QUOTE_REFUSED: lambda d: (
        f"A report carried a quote that is not its TPM's over this report: {d['why']}."
    ),
    Kind.HOST_KEY_CLONED: lambda d: f"A host's key is in two places: {_listed(d['signs'])}.",
    Kind.COUNTER_BACKWARD: lambda d: (
        f"Counters that only grow went backward: {_listed(d['counters'])}."
    ),
    Kind.LIBRARY_SUSPECT: lambda d: (
        f"The library that answered may not be the driver's: {_listed(d['reasons'])}."
    ),
    Kind.FIELD_WENT_MISSING: lambda d: (
        f"Values once read are now said not to be supported: {_listed(d['fields'])}."
    ),
    Kind.BMC_DIFFERS: lambda d: (
        f"The management controller and the driver differ: {_listed(d['differences'])}."
    ),
    Kind.HIDDEN_CHIP: lambda d: (
        f"{d['witness']} names chips that the host does not report, by PDI: {_listed(d['chips'])}."
        + (f" Switches that signed: {_listed(d['switches'])}." if d.get("switches") else "")
    ),
    Kind.EVIDENCE_REFUSED: lambda d: f"Device evidence was refused: {d['code']} ({d['what']}).",
}
