"""What may be behind a finding without anybody having done wrong."""

from collections.abc import Mapping, Sequence
from typing import Final

from chipledger_server.domain.findings.kinds import Kind

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
