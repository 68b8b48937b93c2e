"""The inventory statement: what one scan of one host saw, field by field.

Three views stand side by side, NVML, PCI (sysfs) and the kernel module (/proc), because a
host that lies must lie in all of them. Everything here is *self-reported*; nothing is proof.
A field is a value, or absent with its reason in `unread` (an :class:`Unread`), or absent
because this agent does not ask for it on this model. A count never shrinks because a call
failed: a chip whose handle fails is a :class:`Chip` with `lost`.

The *stable* part (everything in this module except :class:`Counters`) has a digest that
heartbeats carry; counters change all the time and travel beside it.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from chipledger_evidence.codec import Wire, encode_canonical
from chipledger_evidence.ids import sha256_b64, whole

MAX_CHIPS = 64
MAX_OVERLAID = 16
MAX_PCI_FUNCTIONS = 1024
MAX_COUNTER = 2**53 - 1

Text = Annotated[str, msgspec.Meta(max_length=256)]
Hex = Annotated[str, whole("(?:[0-9a-f]{2}){0,256}")]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNTER)]
Bdf = Annotated[str, whole(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")]
"""PCI address as sysfs writes it: lower case, domain of four digits (more only if needed)."""


class Why(StrEnum):
    """Why a field could not be read, where no NVML code says it."""

    TIMEOUT = "timeout"  # the scan's deadline passed first
    CRASH = "crash"  # the scan process died first
    NOT_TEXT = "not-text"  # bytes that are not UTF-8; kept in `raw`
    OUT_OF_RANGE = "out-of-range"  # a number this format does not hold; kept in `raw`
    OS_ERROR = "os-error"  # sysfs or /proc could not be read


class Unread(Wire, frozen=True, kw_only=True):
    """A value that could not be read, with its reason.

    Attributes:
        nvml: return code of the NVML call (nvml.h, nvmlReturn_t), e.g. 3 = NotSupported.
        why: reason outside NVML.
        raw: the bytes that were answered, hex, where they could not be understood.
    """

    nvml: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    why: Why | None = None
    raw: Hex | None = None


FieldPath = Annotated[str, whole("[a-z0-9_.]{1,64}")]
Reasons = Annotated[dict[FieldPath, Unread], msgspec.Meta(max_length=64)]
ReadCount = Count | Unread


class Status(StrEnum):
    """What became of the scan as a whole."""

    OK = "ok"
    NO_NVML = "no-nvml"  # library not found or not loadable (NVML 12)
    DRIVER_ABSENT = "driver-absent"  # NVML 9
    DRIVER_MISMATCH = "driver-mismatch"  # NVML 18
    NVML_ERROR = "nvml-error"  # any other code of nvmlInit or the count
    NVML_UNRESPONSIVE = "nvml-unresponsive"  # deadline passed; what was seen until then stands
    NVML_CRASHED = "nvml-crashed"  # the scan process died by a signal
    SCAN_FAILED = "scan-failed"  # the scan process could not be run at all


class PciIds(Wire, frozen=True, kw_only=True):
    """PCI identity as NVML reports it (nvmlPciInfo_t)."""

    bdf: Bdf
    device: Annotated[str, whole("[0-9a-f]{8}")]
    """Device id ‖ vendor id, e.g. ``233010de``."""
    subsystem: Annotated[str, whole("[0-9a-f]{8}")]
    """Subsystem device ‖ vendor, e.g. ``16c110de``."""
    class_code: Count | None = None


class Platform(Wire, frozen=True, kw_only=True):
    """nvmlPlatformInfo (Blackwell and newer), read raw because the binding misreads it."""

    chassis_serial: Text | None = None
    slot: Count | None = None
    tray: Count | None = None
    host: Count | None = None
    peer_type: Count | None = None
    module: Count | None = None
    ib_guid: Hex | None = None


class Fabric(Wire, frozen=True, kw_only=True):
    """nvmlGpuFabricInfoV (Hopper and newer)."""

    cluster: Hex
    clique: Count
    state: Count
    status: Count
    health: Count | None = None


class Inforom(Wire, frozen=True, kw_only=True):
    """Board firmware facts kept in the inforom."""

    image: Text | None = None
    oem: Text | None = None
    ecc: Text | None = None
    power: Text | None = None


class Limits(Wire, frozen=True, kw_only=True):
    """Model fingerprint: power in milliwatt, clocks in MHz."""

    power_default: Count | None = None
    power_min: Count | None = None
    power_max: Count | None = None
    sm_clock_max: Count | None = None
    mem_clock_max: Count | None = None


class Repair(Wire, frozen=True, kw_only=True):
    """RMA evidence: what the board says of its own repair state."""

    channel_repair_pending: Count | None = None
    tpc_repair_pending: Count | None = None
    remap_banks_max: Count | None = None
    remap_pending: Count | None = None
    remap_failed: Count | None = None
    recovery_action: Count | None = None


class MigChild(Wire, frozen=True, kw_only=True):
    """One MIG device: a slice of its chip, never a chip of its own."""

    index: Count
    uuid: Text | None = None
    gpu_instance: Count | None = None
    compute_instance: Count | None = None


class Mig(Wire, frozen=True, kw_only=True):
    """MIG state and children of one chip."""

    current: Count
    pending: Count
    max_devices: Count | None = None
    children: Annotated[tuple[MigChild, ...], msgspec.Meta(max_length=32)] = ()


class Chip(Wire, frozen=True, kw_only=True):
    """One device as NVML lists it, each field with its own fate."""

    index: Count
    lost: Unread | None = None
    """Set when the handle itself failed; then only what was known otherwise stands here."""
    uuid: Text | None = None
    pdi: Text | None = None
    serial: Text | None = None
    board_part: Text | None = None
    board_id: Count | None = None
    multi_gpu_board: Count | None = None
    name: Text | None = None
    brand: Count | None = None
    architecture: Count | None = None
    compute_capability: Text | None = None
    cores: Count | None = None
    memory_bus_bits: Count | None = None
    memory_bytes: Count | None = None
    bar1_bytes: Count | None = None
    pci: PciIds | None = None
    minor: Count | None = None
    module_id: Count | None = None
    vbios: Text | None = None
    inforom: Inforom | None = None
    inforom_checksum: Count | None = None
    platform: Platform | None = None
    fabric: Fabric | None = None
    ecc_mode: Count | None = None
    limits: Limits | None = None
    repair: Repair | None = None
    mig: Mig | None = None
    virtualization: Count | None = None
    """0 none, 1 pass-through, 2 vGPU guest (no hardware claim at all), 3 and 4 host side."""
    host_vgpu_mode: Count | None = None
    gsp_version: Text | None = None
    gsp_mode: Count | None = None
    c2c: Count | None = None
    addressing: Count | None = None
    numa_node: Count | None = None
    bus_type: Count | None = None
    nvlinks: Count | None = None
    """Number of NVLinks that answer, active or not: tells export variants apart."""
    hostname_tag: Text | None = None
    dram_encryption: Count | None = None
    unread: Reasons = msgspec.field(default_factory=dict)
    """Why a field above is absent: its name (nested names dotted) → reason."""


class PciKind(StrEnum):
    """What a PCI function of the vendor 0x10de is."""

    GPU = "gpu"
    VIRTUAL_FUNCTION = "virtual-function"
    NVSWITCH = "nvswitch"
    OTHER = "other"


class PciFunction(Wire, frozen=True, kw_only=True):
    """One function of /sys/bus/pci/devices with vendor 0x10de."""

    bdf: Bdf
    kind: PciKind
    device: Text
    subsystem: Text | None = None
    class_code: Text | None = None
    revision: Text | None = None
    driver: Text | None = None
    """Name of the bound driver; absent when none is bound. vfio-pci: present, unidentified."""
    physical_function: Bdf | None = None
    virtual_functions: Count | None = None
    numa_node: Annotated[int, msgspec.Meta(ge=-1, le=65535)] | None = None
    dsn: Hex | None = None
    """PCIe Device Serial Number, where readable (root) and not zero."""
    unread: Reasons = msgspec.field(default_factory=dict)


class ProcGpu(Wire, frozen=True, kw_only=True):
    """One /proc/driver/nvidia/gpus/<bdf>/information, the kernel module's own word."""

    bdf: Bdf
    model: Text | None = None
    uuid: Text | None = None
    vbios: Text | None = None
    minor: Text | None = None
    firmware: Text | None = None
    excluded: Text | None = None


class Excluded(Wire, frozen=True, kw_only=True):
    """A chip the administrator hid from NVML with NVreg_ExcludedGpus."""

    bdf: Text | None = None
    uuid: Text | None = None


class Library(Wire, frozen=True, kw_only=True):
    """The NVML library that answered, as the scan process had it mapped."""

    path: Text
    sha256: Hex | None = None
    size_bytes: Count | None = None
    owner_uid: Count | None = None
    mode: Count | None = None


class Provider(Wire, frozen=True, kw_only=True):
    """Who answered for NVML. Anything but ``nvml`` is accepted only for a test site."""

    kind: Annotated[str, whole("[a-z][a-z0-9-]{0,31}")]
    library: Library | None = None
    preload: bool = False
    """LD_PRELOAD, LD_LIBRARY_PATH or /etc/ld.so.preload could change what is loaded."""
    overlaid: Annotated[tuple[Text, ...], msgspec.Meta(max_length=MAX_OVERLAID)] = ()
    """Mount points that stand before the kernel's own /proc and /sys where a scan reads."""
    visible_devices: Text | None = None
    """NVIDIA_VISIBLE_DEVICES, when set: a container that may not see every chip."""


class Driver(Wire, frozen=True, kw_only=True):
    """Driver facts from NVML and from the kernel module itself."""

    version: Text | None = None
    branch: Text | None = None
    nvml_version: Text | None = None
    cuda_version: Count | None = None
    kernel_module: Text | None = None
    """From /proc/driver/nvidia/version; differs from `version` after a half-done upgrade."""
    confidential_computing: Count | None = None
    confidential_devtools: Count | None = None
    confidential_multi_gpu: Count | None = None
    gpus_ready: Count | None = None


class Inventory(Wire, frozen=True, kw_only=True):
    """Stable part of what one scan saw on one host."""

    status: Status
    provider: Provider
    error: Unread | None = None
    """Reason when `status` is not ``ok``."""
    driver: Driver = Driver()
    device_count: Count | None = None
    """nvmlDeviceGetCount_v2: may be larger than the chips that can be opened."""
    chips: Annotated[tuple[Chip, ...], msgspec.Meta(max_length=MAX_CHIPS)] = ()
    excluded: Annotated[tuple[Excluded, ...], msgspec.Meta(max_length=MAX_CHIPS)] = ()
    pci: Annotated[tuple[PciFunction, ...], msgspec.Meta(max_length=MAX_PCI_FUNCTIONS)] = ()
    proc: Annotated[tuple[ProcGpu, ...], msgspec.Meta(max_length=MAX_CHIPS)] = ()
    unread: Reasons = msgspec.field(default_factory=dict)
    """Why a field of this struct, `provider`, `driver`, `pci` or `proc` is absent."""
    hardware: Text | None = None
    """DMI vendor and product of the machine, self-reported."""


class Counters(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    array_like=True,
    gc=False,  # as in `Wire`
):
    """The short vector of one chip's odometers, in the order of :attr:`Inventory.chips`.

    On the wire a JSON array: aggregate corrected and uncorrected ECC errors, rows remapped for
    corrected and uncorrected errors, BBX seconds with a driver loaded. ``null``: not offered.
    """

    ecc_corrected: ReadCount | None = None
    ecc_uncorrected: ReadCount | None = None
    rows_corrected: ReadCount | None = None
    rows_uncorrected: ReadCount | None = None
    bbx_seconds: ReadCount | None = None


def inventory_digest(inventory: Inventory) -> str:
    """Return the stable digest: base64url(SHA-256(canonical encoding of `inventory`))."""
    return sha256_b64(encode_canonical(inventory))
