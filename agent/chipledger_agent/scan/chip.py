"""Which fields a chip has, and which NVML call each of them comes from.

The order is the order of worth: identity first, so that it is known when a later call hangs.
"""

from collections.abc import Callable
from itertools import islice

import msgspec

from chipledger_agent.scan import nvml
from chipledger_agent.scan.nvml import Handle
from chipledger_agent.scan.reading import Fields, UnreadableError, text
from chipledger_evidence.inventory import Chip, Counters, Unread

MAX_MIG_CHILDREN = 32
MAX_REASONS = 64
_AGGREGATE = 1
_CORRECTED, _UNCORRECTED = 0, 1
_SM_CLOCK, _MEMORY_CLOCK = 1, 2

Step = tuple[tuple[str, ...], Callable[[Handle], tuple[object, ...]]]


def _text(name: str, *arguments: object) -> Callable[[Handle], tuple[object, ...]]:
    return lambda handle: (nvml.text_of(name, handle, *arguments),)


def _number(name: str, *arguments: object) -> Callable[[Handle], tuple[object, ...]]:
    return lambda handle: (nvml.number_of(name, handle, *arguments),)


def _member(name: str, member: str) -> Callable[[Handle], tuple[object, ...]]:
    return lambda handle: (nvml.member_of(name, handle, member),)


def _first(name: str) -> Callable[[Handle], tuple[object, ...]]:
    return lambda handle: nvml.numbers_of(name, handle)[:1]


def _one(function: Callable[[Handle], object]) -> Callable[[Handle], tuple[object, ...]]:
    return lambda handle: (function(handle),)


def _pci(handle: Handle) -> tuple[object, ...]:
    place = nvml.pci_place(handle)
    return place.bdf, place.device, place.subsystem


def _compute_capability(handle: Handle) -> tuple[object, ...]:
    major, minor = nvml.numbers_of("nvmlDeviceGetCudaComputeCapability", handle)
    return (f"{major}.{minor}",)


def _fabric(handle: Handle) -> tuple[object, ...]:
    f = nvml.fabric(handle)
    return ({
        "cluster": f.cluster.hex(), "clique": f.clique, "state": f.state, "status": f.status,
        "health": f.health,
    },)  # fmt: skip


_IDENTITY: tuple[Step, ...] = (
    (("uuid",), _text("nvmlDeviceGetUUID")),
    (("pdi",), _one(nvml.pdi)),
    (("serial",), _text("nvmlDeviceGetSerial")),
    (("pci.bdf", "pci.device", "pci.subsystem"), _pci),
    (("name",), _text("nvmlDeviceGetName")),
    (("board_part",), _text("nvmlDeviceGetBoardPartNumber")),
)
_REST: tuple[Step, ...] = (
    (("pci.class_code",), _one(nvml.pci_class)),
    (("module_id",), _one(nvml.module_id)),
    (("minor",), _number("nvmlDeviceGetMinorNumber")),
    (("board_id",), _number("nvmlDeviceGetBoardId")),
    (("multi_gpu_board",), _number("nvmlDeviceGetMultiGpuBoard")),
    (("brand",), _number("nvmlDeviceGetBrand")),
    (("architecture",), _number("nvmlDeviceGetArchitecture")),
    (("compute_capability",), _compute_capability),
    (("cores",), _number("nvmlDeviceGetNumGpuCores")),
    (("memory_bus_bits",), _number("nvmlDeviceGetMemoryBusWidth")),
    (("memory_bytes",), _member("nvmlDeviceGetMemoryInfo", "total")),
    (("bar1_bytes",), _member("nvmlDeviceGetBAR1MemoryInfo", "bar1Total")),
    (("bus_type",), _number("nvmlDeviceGetBusType")),
    (("vbios",), _text("nvmlDeviceGetVbiosVersion")),
    (("inforom.image",), _text("nvmlDeviceGetInforomImageVersion")),
    (("inforom.oem",), _text("nvmlDeviceGetInforomVersion", 0)),
    (("inforom.ecc",), _text("nvmlDeviceGetInforomVersion", 1)),
    (("inforom.power",), _text("nvmlDeviceGetInforomVersion", 2)),
    (("inforom_checksum",), _number("nvmlDeviceGetInforomConfigurationChecksum")),
    (("fabric",), _fabric),
    (("ecc_mode",), _first("nvmlDeviceGetEccMode")),
    (("virtualization",), _number("nvmlDeviceGetVirtualizationMode")),
    (("host_vgpu_mode",), _number("nvmlDeviceGetHostVgpuMode")),
    (("gsp_version",), _one(nvml.gsp_version)),
    (("gsp_mode",), _one(nvml.gsp_mode)),
    (("c2c",), _member("nvmlDeviceGetC2cModeInfoV", "isC2cEnabled")),
    (("addressing",), _number("nvmlDeviceGetAddressingMode")),
    (("numa_node",), _number("nvmlDeviceGetNumaNodeId")),
    (("nvlinks",), _one(nvml.nvlink_count)),
    (("hostname_tag",), _one(nvml.hostname_tag)),
    (("dram_encryption",), _first("nvmlDeviceGetDramEncryptionMode")),
    (("limits.power_default",), _number("nvmlDeviceGetPowerManagementDefaultLimit")),
    (
        ("limits.power_min", "limits.power_max"),
        lambda handle: nvml.numbers_of("nvmlDeviceGetPowerManagementLimitConstraints", handle),
    ),
    (("limits.sm_clock_max",), _number("nvmlDeviceGetMaxClockInfo", _SM_CLOCK)),
    (("limits.mem_clock_max",), _number("nvmlDeviceGetMaxClockInfo", _MEMORY_CLOCK)),
    (
        ("repair.channel_repair_pending", "repair.tpc_repair_pending"),
        lambda handle: nvml.numbers_of("nvmlDeviceGetRepairStatus", handle),
    ),
    (("repair.remap_banks_max",), _member("nvmlDeviceGetRowRemapperHistogram", "max")),
    (("repair.recovery_action",), _one(nvml.recovery_action)),
)
_PENDING = (
    *(path for paths, _ in _REST for path in paths),
    "platform",
    "repair.remap_pending",
    "repair.remap_failed",
    "mig",
)


_MIG_CHILD: tuple[tuple[str, Callable[[Handle], tuple[object, ...]]], ...] = (
    ("uuid", _text("nvmlDeviceGetUUID")),
    ("gpu_instance", _number("nvmlDeviceGetGpuInstanceId")),
    ("compute_instance", _number("nvmlDeviceGetComputeInstanceId")),
)


class ChipReader:
    """Reads one chip in two strokes: what it is, then everything else."""

    def __init__(self, index: int, handle: Handle) -> None:
        self._handle = handle
        self._fields = Fields()
        self._fields.put("index", index)

    @property
    def pending(self) -> tuple[str, ...]:
        """The fields that :meth:`rest` will read."""
        return _PENDING

    def identity(self) -> Chip:
        """Return what names the chip; all other fields are absent without a reason as yet."""
        self._run(_IDENTITY)
        return self._chip()

    def rest(self) -> tuple[Chip, Counters]:
        """Return the complete chip and its odometers."""
        self._run(_REST)
        self._read_platform()
        counters = self._read_counters()
        self._fields.read("mig", self._mig)
        return self._chip(), counters

    def _run(self, steps: tuple[Step, ...]) -> None:
        for paths, ask in steps:
            self._fields.read_several(paths, lambda ask=ask: ask(self._handle))  # type: ignore[misc]

    def _chip(self) -> Chip:
        values = dict(self._fields.values)
        pci = values.get("pci")
        if pci is not None and "bdf" not in pci:
            del values["pci"]  # a class without a place says nothing
        # The record holds 64 reasons; only a host whose MIG devices all fail has more.
        unread = dict(islice(self._fields.unread.items(), MAX_REASONS))
        return msgspec.convert({**values, "unread": unread}, Chip)

    def _read_platform(self) -> None:
        """Read all of nvmlPlatformInfo; a chassis serial that is not text spoils only itself."""
        try:
            p = nvml.platform(self._handle)
        except UnreadableError as error:
            self._fields.unread["platform"] = error.reason
            return
        numbers = {"slot": p.slot, "tray": p.tray, "host": p.host, "peer_type": p.peer_type,
                   "module": p.module, "ib_guid": p.ib_guid.hex()}  # fmt: skip
        for name, value in numbers.items():
            self._fields.put(f"platform.{name}", value)
        self._fields.read("platform.chassis_serial", lambda: text(p.chassis_serial))

    def _read_counters(self) -> Counters:
        handle = self._handle
        remapped = Fields()
        remapped.read_several(
            ("corrected", "uncorrected", "pending", "failed"),
            lambda: nvml.numbers_of("nvmlDeviceGetRemappedRows", handle),
        )
        for name in ("pending", "failed"):
            if name in remapped.values:
                self._fields.put(f"repair.remap_{name}", remapped.values[name])
            else:
                self._fields.unread[f"repair.remap_{name}"] = remapped.unread[name]

        def rows(name: str) -> int:
            if name in remapped.unread:
                raise UnreadableError(remapped.unread[name])
            return int(remapped.values[name])

        def errors(kind: int) -> int:
            return nvml.number_of("nvmlDeviceGetTotalEccErrors", handle, kind, _AGGREGATE)

        return Counters(
            ecc_corrected=_odometer(lambda: errors(_CORRECTED)),
            ecc_uncorrected=_odometer(lambda: errors(_UNCORRECTED)),
            rows_corrected=_odometer(lambda: rows("corrected")),
            rows_uncorrected=_odometer(lambda: rows("uncorrected")),
            bbx_seconds=_odometer(
                lambda: nvml.member_of("nvmlDeviceGetBBXTimeData_v1", handle, "timeRun")
            ),
        )

    def _mig(self) -> dict[str, object]:
        current, pending = nvml.numbers_of("nvmlDeviceGetMigMode", self._handle)
        mig: dict[str, object] = {"current": current, "pending": pending}
        if current:
            try:
                most = nvml.number_of("nvmlDeviceGetMaxMigDeviceCount", self._handle)
            except UnreadableError as error:
                self._fields.unread["mig.max_devices"] = error.reason
                return mig
            mig["max_devices"] = most
            children = (self._mig_child(index) for index in range(min(most, MAX_MIG_CHILDREN)))
            mig["children"] = [child for child in children if child is not None]
        return mig

    def _mig_child(self, index: int) -> dict[str, object] | None:
        try:
            handle = nvml.mig_handle(self._handle, index)
        except UnreadableError as error:
            if error.reason.nvml != nvml.NOT_FOUND:  # indices have holes
                self._fields.unread[f"mig.children.{index}"] = error.reason
            return None
        child = Fields()
        child.put("index", index)
        for name, ask in _MIG_CHILD:
            child.read(name, lambda ask=ask: ask(handle)[0])  # type: ignore[misc]
        for name, reason in child.unread.items():
            self._fields.unread[f"mig.children.{index}.{name}"] = reason
        return child.values


def _odometer(ask: Callable[[], int]) -> int | Unread | None:
    """Return the count, None where the model or driver does not offer it, or the reason."""
    try:
        return ask()
    except UnreadableError as error:
        return None if error.reason.nvml in nvml.NOT_OFFERED else error.reason
