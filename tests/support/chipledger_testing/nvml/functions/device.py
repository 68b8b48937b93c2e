"""Functions of one device: identity, model, board firmware, memory and repair state."""

import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from chipledger_testing.nvml.border import RefusalError, memory, number, put
from chipledger_testing.nvml.functions.kinds import (
    Arguments,
    Function,
    Library,
    Source,
    Versions,
    as_bytes,
    as_members,
    as_numbers,
    fixed_text,
    known_version,
    numbers,
    of_chip,
    record,
    selected,
    text,
    versioned,
)
from chipledger_testing.nvml.machine import NOT_OFFERED, Answer

if TYPE_CHECKING:
    from chipledger_testing.gpu_pki import GpuMaker

_NOT_SUPPORTED = 3


def _hex(members: object, size: int) -> bytes:
    return bytes.fromhex(str(members).replace("-", "")).ljust(size, b"\0")


def platform_v2(answer: Answer) -> tuple[int | bytes, ...]:
    """Fill nvmlPlatformInfo_v2_t after its version field."""
    m = as_members(answer)
    small = (int(m.get(name, 0)) for name in ("slot", "tray", "host", "peer_type", "module"))
    return (_hex(m.get("ib_guid", ""), 16), str(m.get("chassis", "")).encode(), *small)


def platform_v1(answer: Answer) -> tuple[int | bytes, ...]:
    """Fill nvmlPlatformInfo_v1_t: as version 2 with a rack GUID in place of the chassis."""
    guid, _, *small = platform_v2(answer)
    return (guid, b"", *small)


def _fabric(answer: Answer) -> tuple[int | bytes, ...]:
    m = as_members(answer)
    cluster = _hex(m.get("cluster", ""), 16)
    return (cluster, *(int(m.get(name, 0)) for name in ("status", "clique", "state")))


def fabric_v2(answer: Answer) -> tuple[int | bytes, ...]:
    """Fill nvmlGpuFabricInfo_v2_t after its version field."""
    return (*_fabric(answer), int(as_members(answer).get("health_mask", 0)))


def fabric_v3(answer: Answer) -> tuple[int | bytes, ...]:
    """Fill nvmlGpuFabricInfo_v3_t after its version field."""
    return (*fabric_v2(answer), int(as_members(answer).get("health_summary", 0)))


PLATFORM = Versions({1: ("16s16s5B0I", platform_v1), 2: ("16s16s5B0I", platform_v2)})
FABRIC = Versions({2: ("16siIII", fabric_v2), 3: ("16siIIIB0I", fabric_v3)})
SRAM = Versions({1: ("11QI0Q", as_numbers)})
PDI = Versions({1: ("Q", as_numbers)})
ONE = Versions({1: ("I", as_numbers)})
TWO = Versions({1: ("2I", as_numbers)})


def bar1(answer: Answer) -> tuple[int | bytes, ...]:
    """Fill nvmlBAR1Memory_t: total, free, used."""
    (total,) = as_numbers(answer)
    return (total, total, 0)


def memory_v1(answer: Answer) -> tuple[int | bytes, ...]:
    """Fill nvmlMemory_t: total, free, used; reserved memory counts as used there."""
    total, reserved = as_numbers(answer)
    return (total, total - reserved, reserved)


def memory_v2(answer: Answer) -> tuple[int | bytes, ...]:
    """Fill nvmlMemory_v2_t after its version field: total, reserved, free, used."""
    total, reserved = as_numbers(answer)
    return (total, reserved, total - reserved, 0)


def total_ecc(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetTotalEccErrors(device, error type, counter type, count)."""
    error, counter = number(arguments[1]), number(arguments[2])
    if error not in {0, 1} or counter not in {0, 1}:
        raise RefusalError(2)
    answer = of_chip("ecc_total")(library, arguments)
    if answer.raw is not None:
        memory(arguments[3]).write(answer.raw)
    else:
        put(arguments[3], "Q", as_numbers(answer)[2 * counter + error])
    return 0


def retired_pages(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetRetiredPages(device, cause, count, addresses or NULL)."""
    number(arguments[1])
    pages = as_numbers(of_chip("retired_pages")(library, arguments))
    counter = memory(arguments[2])
    (room,) = struct.unpack("@I", counter.read(4))
    counter.write(struct.pack("@I", len(pages)))
    if len(pages) > room:
        return 7
    if pages:
        memory(arguments[3]).write(struct.pack(f"@{len(pages)}Q", *pages))
    return 0


def field_values(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetFieldValues: every value carries a return code of its own."""
    chip = library.chip(arguments[0])
    size = struct.calcsize("@IIqqIiQ")
    block = memory(arguments[2])
    asked = block.read(size * number(arguments[1]))
    out = bytearray()
    for start in range(0, len(asked), size):
        field, scope = struct.unpack_from("@II", asked, start)
        answer = chip.answer(f"field_{field}")
        code = 3 if answer.err is None and answer.value is None else answer.err or 0
        value = as_numbers(answer)[0] if code == 0 else 0
        out += struct.pack("@IIqqIiQ", field, scope, 0, 0, 1, code, value)
    block.write(bytes(out))
    return 0


def nvlink_state(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetNvLinkState: InvalidArgument (2) past the last link of the model."""
    (links,) = as_numbers(of_chip("nvlinks")(library, arguments))
    if number(arguments[1]) >= links:
        return 2
    put(arguments[2], "I", 1)
    return 0


def certificate(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetConfComputeGpuCertificate: two chains in fixed buffers."""
    device = _device(library, arguments, "cc_certificate")
    if device is not None:
        chain, attestation = b"", device.chain()
    else:
        m = as_members(of_chip("cc_certificate")(library, arguments))
        chain, attestation = _hex(m["chain"], 0), _hex(m["attestation_chain"], 0)
    sizes = struct.pack("@II", len(chain), len(attestation))
    memory(arguments[1]).write(
        sizes + chain.ljust(0x1000, b"\0") + attestation.ljust(0x1400, b"\0")
    )
    return 0


def attestation_report(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetConfComputeGpuAttestationReport: the report described, or a device's own."""
    target = memory(arguments[1])
    head = target.read(44)
    device = _device(library, arguments, "cc_report")
    if device is not None:
        report = device.report(head[12:])
    else:
        answer = of_chip("cc_report")(library, arguments)
        raw = answer.raw
        report = raw if raw is not None else bytes.fromhex(as_bytes(answer).decode())
    sizes = struct.pack("@III", 0, len(report), 0)
    target.write(sizes + head[12:] + report.ljust(0x2000, b"\0"))
    return 0


def _device(library: Library, arguments: Arguments, over: str) -> "GpuMaker | None":
    """Return the device of our PKI that answers for a chip, unless `over` describes an answer.

    Without confidential computing nothing answers, as on a real driver.
    """
    chip = library.chip(arguments[0])
    if chip.answer(over) != NOT_OFFERED or chip.answer("cc_device") == NOT_OFFERED:
        return None
    mode = as_members(library.ready(library.system("conf_compute")))
    if not (mode.get("cc_feature") or mode.get("multi_gpu")):
        raise RefusalError(_NOT_SUPPORTED)
    from chipledger_testing.nvml.signing import maker_of  # noqa: PLC0415 - brings all of X.509

    return maker_of(as_members(library.ready(chip.answer("cc_device"))))


def two_versioned(field: str) -> Function:
    """`f(device, struct *current, struct *pending)`, each with a version field."""

    def call(library: Library, arguments: Arguments) -> int:
        current, pending = as_numbers(of_chip(field)(library, arguments))
        for target, value in zip(arguments[1:3], (current, pending), strict=True):
            word = ONE.word(known_version(memory(target), ONE))
            memory(target).write(struct.pack("@II", word, value))
        return 0

    return call


def _numbers_at(layouts: str) -> Callable[[Source, int], Function]:
    return lambda source, at: numbers(source, layouts, at=at)


_chip_number = partial(numbers, layouts="I")

FUNCTIONS: dict[str, Function] = {
    "nvmlDeviceGetName": text(of_chip("name")),
    "nvmlDeviceGetUUID": text(of_chip("uuid")),
    "nvmlDeviceGetSerial": text(of_chip("serial")),
    "nvmlDeviceGetBoardPartNumber": text(of_chip("board_part_number")),
    "nvmlDeviceGetVbiosVersion": text(of_chip("vbios")),
    "nvmlDeviceGetInforomImageVersion": text(of_chip("inforom_image")),
    "nvmlDeviceGetInforomVersion": selected(
        {0: "inforom_oem", 1: "inforom_ecc", 2: "inforom_power"},
        lambda source, at: text(source, at=at),
    ),
    "nvmlDeviceGetPdi": versioned(of_chip("pdi"), PDI),
    "nvmlDeviceGetBrand": _chip_number(of_chip("brand")),
    "nvmlDeviceGetArchitecture": _chip_number(of_chip("architecture")),
    "nvmlDeviceGetBoardId": _chip_number(of_chip("board_id")),
    "nvmlDeviceGetMultiGpuBoard": _chip_number(of_chip("multi_gpu_board")),
    "nvmlDeviceGetMinorNumber": _chip_number(of_chip("minor_number")),
    "nvmlDeviceGetModuleId": _chip_number(of_chip("module_id")),
    "nvmlDeviceGetPersistenceMode": _chip_number(of_chip("persistence_mode")),
    "nvmlDeviceGetNumGpuCores": _chip_number(of_chip("num_cores")),
    "nvmlDeviceGetMemoryBusWidth": _chip_number(of_chip("memory_bus_width")),
    "nvmlDeviceGetBusType": _chip_number(of_chip("bus_type")),
    "nvmlDeviceGetInforomConfigurationChecksum": _chip_number(of_chip("inforom_checksum")),
    "nvmlDeviceGetMaxPcieLinkGeneration": _chip_number(of_chip("pcie_max_generation")),
    "nvmlDeviceGetMaxPcieLinkWidth": _chip_number(of_chip("pcie_max_width")),
    "nvmlDeviceGetPowerManagementDefaultLimit": _chip_number(of_chip("power_default_mw")),
    "nvmlDeviceGetHostVgpuMode": _chip_number(of_chip("host_vgpu_mode")),
    "nvmlDeviceGetMaxClockInfo": selected(
        {1: "max_sm_clock_mhz", 2: "max_mem_clock_mhz"}, _numbers_at("I")
    ),
    "nvmlDeviceGetNumaNodeId": numbers(of_chip("numa_node"), "i"),
    "nvmlDeviceGetVirtualizationMode": numbers(of_chip("virtualization_mode"), "I"),
    "nvmlDeviceGetCudaComputeCapability": numbers(of_chip("compute_capability"), "ii"),
    "nvmlDeviceGetEccMode": numbers(of_chip("ecc_mode"), "II"),
    "nvmlDeviceGetGspFirmwareMode": numbers(of_chip("gsp_mode"), "II"),
    "nvmlDeviceGetPowerManagementLimitConstraints": numbers(of_chip("power_limits_mw"), "II"),
    "nvmlDeviceGetRemappedRows": numbers(of_chip("remapped_rows"), "IIII"),
    "nvmlDeviceGetLastBBXFlushTime": numbers(of_chip("bbx_flush"), "QL"),
    "nvmlDeviceGetGspFirmwareVersion": fixed_text("gsp_version"),
    "nvmlDeviceGetMemoryInfo": record(of_chip("memory"), "3Q", memory_v1),
    "nvmlDeviceGetMemoryInfo_v2": versioned(of_chip("memory"), Versions({2: ("4Q", memory_v2)})),
    "nvmlDeviceGetBAR1MemoryInfo": record(of_chip("bar1_bytes"), "3Q", bar1),
    "nvmlDeviceGetRemappedRows_v2": record(of_chip("remapped_rows_v2"), "6I", as_numbers),
    "nvmlDeviceGetRowRemapperHistogram": record(of_chip("row_histogram"), "5I", as_numbers),
    "nvmlDeviceGetBankRemapperStatus_v1": record(of_chip("bank_remapper"), "5I", as_numbers),
    "nvmlDeviceGetBBXTimeData_v1": record(of_chip("bbx_time_run_s"), "I", as_numbers),
    "nvmlDeviceGetHostname_v1": record(
        of_chip("hostname"), "64s", lambda answer: (as_bytes(answer),)
    ),
    # nvml.h has one unsigned int there, although the version constant says eight bytes.
    "nvmlDeviceGetC2cModeInfoV": record(of_chip("c2c_mode"), "I", as_numbers),
    "nvmlDeviceGetTotalEccErrors": total_ecc,
    "nvmlDeviceGetSramEccErrorStatus": versioned(of_chip("sram_ecc"), SRAM),
    "nvmlDeviceGetRetiredPages": retired_pages,
    "nvmlDeviceGetRepairStatus": versioned(of_chip("repair_status"), TWO),
    "nvmlDeviceGetUnrepairableMemoryFlag_v1": versioned(of_chip("unrepairable_memory"), ONE),
    "nvmlDeviceGetAddressingMode": versioned(of_chip("addressing_mode"), ONE),
    "nvmlDeviceGetCapabilities": versioned(of_chip("capabilities"), ONE),
    "nvmlDeviceGetDramEncryptionMode": two_versioned("dram_encryption"),
    "nvmlDeviceGetPlatformInfo": versioned(of_chip("platform"), PLATFORM),
    "nvmlDeviceGetGpuFabricInfo": record(of_chip("fabric"), "16siII", _fabric),
    "nvmlDeviceGetGpuFabricInfoV": versioned(of_chip("fabric"), FABRIC),
    "nvmlDeviceGetNvLinkState": nvlink_state,
    "nvmlDeviceGetFieldValues": field_values,
    "nvmlDeviceGetConfComputeGpuCertificate": certificate,
    "nvmlDeviceGetConfComputeGpuAttestationReport": attestation_report,
    "nvmlDeviceGetMigMode": numbers(of_chip("mig_mode"), "II"),
    "nvmlDeviceGetMaxMigDeviceCount": _chip_number(of_chip("mig_max_devices")),
    "nvmlDeviceGetGpuInstanceId": _chip_number(of_chip("gpu_instance")),
    "nvmlDeviceGetComputeInstanceId": _chip_number(of_chip("compute_instance")),
}
