"""Device evidence of one round: what a source answered, why it did not, and when to ask.

A source is asked rarely, because asking can fail in ways that hurt the device. What it gives
travels as it was given; what it does not give is a reason with a stable code, signed as well.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from chipledger_evidence.claims import EvidenceRef, NoEvidence
from chipledger_evidence.inventory import Chip, Inventory, PciKind

NVML, CORELIB, REDFISH, NO_SOURCE = "nvml", "corelib", "redfish", "none"
HOPPER, BLACKWELL = 9, 10
"""NVML's numbers of the architectures (nvmlDeviceArchitecture_t)."""
SHORTEST_INTERVAL_S = 3600
"""Devices are never asked more often, whoever wants it."""
MAX_REFS = 128
MAX_REASONS = 128
MAX_BLOBS_BYTES = 2 * 1024 * 1024
"""Most evidence bytes beside one token: a request holds 4 MiB."""
_MAX_DETAIL = 256


class ReasonCode(StrEnum):
    """Why there is no device signature; docs/EVIDENCE.md says each in words.

    An NVML return code is its own reason, `nvml-error-<n>` (:func:`nvml_error`).
    """

    # what the hardware and its mode say
    NO_CHIP = "no-chip"
    CC_OFF = "cc-off"
    CC_ON = "cc-on"
    CC_STATE_UNREAD = "cc-state-unread"
    NOT_OFFERED = "not-offered-by-architecture"
    NO_SWITCH_WITNESS = "no-switch-witness"
    # what the configuration says
    SOURCE_DISABLED = "source-disabled"
    REDFISH_NOT_CONFIGURED = "redfish-not-configured"
    # what became of asking
    DEADLINE = "deadline"
    STILL_ASKED = "still-being-asked"
    NOT_ASKED = "not-asked-after-failure"
    NVML_ABSENT = "nvml-absent"
    CHILD_FAILED = "nvml-child-failed"
    SERVICE_ABSENT = "evidence-service-absent"
    SERVICE_FAILED = "evidence-service-failed"
    PEER_REFUSED = "evidence-service-peer-refused"
    NVATTEST_ABSENT = "nvattest-absent"
    NVATTEST_FAILED = "nvattest-failed"
    NVATTEST_MALFORMED = "nvattest-malformed"
    NVATTEST_OVERSIZE = "nvattest-oversize"
    NONCE_DIFFERS = "nonce-differs"
    REDFISH_CREDENTIALS = "redfish-credentials-unreadable"
    REDFISH_UNREACHABLE = "redfish-unreachable"
    REDFISH_UNTRUSTED = "redfish-untrusted"
    REDFISH_REFUSED = "redfish-refused"
    REDFISH_REDIRECTED = "redfish-redirected"
    REDFISH_MALFORMED = "redfish-malformed"
    REDFISH_OVERSIZE = "redfish-oversize"
    REDFISH_TASK_FAILED = "redfish-task-failed"
    BOARD_ROOT_ONLY = "redfish-board-root-only"
    NOT_LISTED = "redfish-not-listed"
    TOO_LARGE = "evidence-too-large"
    MORE_REASONS = "more-reasons"
    # what the BMC says and the driver does not: kept beside the reasons, because it is a view
    BMC_CHIP_UNREPORTED = "bmc-chip-unreported"
    BMC_CHIP_UNSEEN = "bmc-chip-unseen"
    BMC_SERIAL_DIFFERS = "bmc-serial-differs"
    BMC_SLOT_DIFFERS = "bmc-slot-differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEvidence:
    """One device's signed answer, byte for byte as the source gave it.

    Attributes:
        source: who was asked.
        transcript: the report.
        chain: its certificates, PEM text.
        chip: index in :attr:`Inventory.chips` it is believed to come from; None for a switch,
            or when nobody said. The certificate names the chip.
    """

    source: str
    transcript: bytes
    chain: bytes
    chip: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What one source gave in one round, and why it gave no more."""

    found: tuple[DeviceEvidence, ...] = ()
    reasons: tuple[NoEvidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A round as it goes into a token and beside it."""

    refs: tuple[EvidenceRef, ...] = ()
    blobs: tuple[bytes, ...] = ()
    reasons: tuple[NoEvidence, ...] = ()


NOTHING = Packed()
"""Neither evidence nor a reason: what an ordinary token says of it."""


def why(source: str, code: str, *, chip: int | None = None, detail: str = "") -> NoEvidence:
    """Return a reason; `detail` is shortened to what a token holds."""
    words = "".join(mark if mark.isprintable() else " " for mark in detail)[:_MAX_DETAIL]
    return NoEvidence(code=code, source=source, chip=chip, detail=words or None)


def nvml_error(code: int) -> str:
    """Return the reason code of an NVML return code."""
    return f"nvml-error-{code}"


def confidential_mode(inventory: Inventory) -> bool | None:
    """Tell whether a mode is on in which NVML gives evidence; None when nobody could say.

    Confidential computing, protected PCIe (multi-GPU mode 1) or NVLink encryption (2).
    """
    driver = inventory.driver
    if driver.confidential_computing == 1 or driver.confidential_multi_gpu in {1, 2}:
        return True
    return None if driver.confidential_computing is None else False


def is_blackwell(chip: Chip) -> bool:
    """Tell whether the driver calls this chip a Blackwell."""
    return chip.architecture == BLACKWELL


def has_switches(inventory: Inventory) -> bool:
    """Tell whether NVSwitches are on this host's PCI buses."""
    return any(function.kind is PciKind.NVSWITCH for function in inventory.pci)


def nothing_to_ask(source: str, inventory: Inventory) -> NoEvidence | None:
    """Return why `source` cannot give anything on this machine, whatever is configured."""
    if source == NVML:
        return _without_nvml(inventory)
    if source == CORELIB:
        return _without_corelib(inventory)
    return None


def _without_nvml(inventory: Inventory) -> NoEvidence | None:
    if not inventory.chips:
        return why(NVML, ReasonCode.NO_CHIP)
    mode = confidential_mode(inventory)
    if mode:
        return None
    if mode is False:
        return why(NVML, ReasonCode.CC_OFF)
    unread = inventory.unread.get("driver.confidential_computing")
    code = nvml_error(unread.nvml) if unread and unread.nvml else ReasonCode.CC_STATE_UNREAD
    return why(NVML, code, detail="nvmlSystemGetConfComputeState")


def _without_corelib(inventory: Inventory) -> NoEvidence | None:
    if not inventory.chips:
        return why(CORELIB, ReasonCode.NO_CHIP)
    if confidential_mode(inventory):
        return why(CORELIB, ReasonCode.CC_ON)
    if not any(map(is_blackwell, inventory.chips)):
        return why(CORELIB, ReasonCode.NOT_OFFERED)
    return None


def is_due(*, last_s: int, now_s: int, interval_s: int, wanted: bool, asks: bool) -> bool:
    """Tell whether a round is due.

    Args:
        last_s: when devices were last asked, Unix seconds; 0 for never.
        now_s: the host's clock.
        interval_s: the agent's own interval.
        wanted: the collector asked for a round.
        asks: a source is switched on that can be asked.
    """
    age_s = now_s - last_s
    if wanted:
        return not 0 <= age_s < SHORTEST_INTERVAL_S
    return asks and not 0 <= age_s < max(interval_s, SHORTEST_INTERVAL_S)


def bounded(reasons: Iterable[NoEvidence]) -> tuple[NoEvidence, ...]:
    """Return as many reasons as a token holds; the last one says that there were more."""
    listed = tuple(dict.fromkeys(reasons))
    if len(listed) <= MAX_REASONS:
        return listed
    left_out = len(listed) - MAX_REASONS + 1
    more = why(NO_SOURCE, ReasonCode.MORE_REASONS, detail=f"{left_out} left out")
    return (*listed[: MAX_REASONS - 1], more)
