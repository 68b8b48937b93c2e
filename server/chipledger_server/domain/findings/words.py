"""Findings as sentences: what was seen, from the facts of the detail."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from chipledger_server.domain.findings.kinds import Kind
from chipledger_server.domain.findings.record import Detail


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
