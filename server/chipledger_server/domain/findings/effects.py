"""What a finding does to the balance of its site, in words."""

from collections.abc import Mapping
from typing import Final

from chipledger_server.domain.findings.kinds import Kind
from chipledger_server.domain.findings.record import Detail

EFFECTS: Final[Mapping[str, str]] = {
    Kind.DUPLICATE_IDENTITY: (
        "The chips count once, where they are believed to be; the other claim fills no hole."
    ),
    Kind.IDENTITY_CHANGED: (
        "The chip counts under its new pair of names; the one known before may be missing."
    ),
    Kind.CHAIN_GAP: "Nothing counts for the time that the lost reports would speak of.",
    Kind.CHAIN_FORK: "The newest fresh report counts; what the other history said does not.",
    Kind.CHAIN_RESUMED: "None by itself: what the host reports now counts as before.",
    Kind.REFUSED_REPORT: "None: a refused report counts for nothing.",
    Kind.UEID_REUSED: "One machine may count as two: every chip that both report is disputed.",
    Kind.PCI_NVML_DIFFER: "Devices that not every view shows are unconfirmed and do not count.",
    Kind.UNKNOWN_SKU: "Its chips are on no side of the balance until the catalogue knows them.",
    Kind.CLOCK_ODD: "None: only the collector's own clock decides what is fresh.",
    Kind.SILENT_HOST: "Its chips are not present: they widen the hole until it reports again.",
    Kind.MASS_SILENCE: "None of the silent hosts' chips is present: the hole is as wide as they.",
    Kind.SCAN_INCOMPLETE: "What could not be read is not present, or holds at its last sighting.",
    Kind.SCANS_SKIPPED: "None by itself: what was seen before and after counts.",
    Kind.LOG_CONFLICT: "No number of this collector can be relied on until it is explained.",
    Kind.GRADE_DROP: "The chips count at a lower grade than they once did.",
    Kind.IDENTITY_CHANGED_IN_SLOT: "The new chip counts, the old one is missing unless booked out.",
    Kind.CERT_NVML_MISMATCH: "The chip counts as what its certificate says, or not at all.",
    Kind.HOST_KEY_CLONED: "Two machines may report as one: what they hold may count twice.",
    Kind.TPM_QUOTE_REFUSED: "None on the count: that the machine is the enrolled one is in doubt.",
    Kind.TPM_QUOTE_MISSING: "None on the count: how the machine was started is not known.",
    Kind.COUNTER_BACKWARD: "None on the count: another chip may bear the known one's name.",
    Kind.LIBRARY_SUSPECT: "What the host's driver says may be made up; chip-signed grades stand.",
    Kind.FIELD_WENT_MISSING: "None by itself: a view that could contradict is gone.",
    Kind.HIDDEN_CHIP: "The chips named are not present; other chips saw them in the machine.",
    Kind.BMC_DIFFERS: "Chips that the two name differently count as the driver names them.",
    Kind.EVIDENCE_REFUSED: "The chips keep no chip-signed grade from what was refused.",
}


def effect(kind: str, detail: Detail) -> str:
    """Return what a finding does to the balance: as counted, or as its type always does."""
    pieces, tpp = detail.get("pieces"), detail.get("tpp")
    if isinstance(pieces, int) and isinstance(tpp, int) and pieces:
        chips = "chip" if pieces == 1 else "chips"
        return f"{pieces:,} {chips}, {tpp:,} TPP, that books and what was seen do not agree on."
    return EFFECTS.get(kind, "It changes no number of the balance by itself.")
