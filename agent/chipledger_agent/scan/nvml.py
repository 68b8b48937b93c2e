"""The only module that knows the NVML binding. Every answer is a value or a reason.

The binding's faults that would reach an inventory are stepped around here, and each has a test
under tests/unit/agent. Everything runs in one thread of one short-lived process.
"""

import contextlib
import ctypes
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pynvml

from chipledger_agent.scan.reading import (
    UnreadableError,
    count,
    not_text,
    out_of_range,
    refused,
    text,
)

T = TypeVar("T")
Handle = object
"""An opaque device handle; only this module gives them out and takes them."""

FUNCTION_NOT_FOUND = pynvml.NVML_ERROR_FUNCTION_NOT_FOUND
LIBRARY_NOT_FOUND = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
NOT_FOUND = pynvml.NVML_ERROR_NOT_FOUND
NOT_OFFERED = frozenset(
    {
        pynvml.NVML_ERROR_NOT_SUPPORTED,
        pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
        pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
        pynvml.NVML_ERROR_DEPRECATED,
    }
)
"""Codes that mean: this model or this driver does not have it."""
_FIELD_RECOVERY_ACTION = 230
_FIELD_NVLINK_COUNT = 91
_MAX_BUS, _MAX_DEVICE = 0xFF, 0x1F
_SIGNED_TYPES = (pynvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG, pynvml.NVML_VALUE_TYPE_SIGNED_INT)


@dataclass(frozen=True, slots=True, kw_only=True)
class PciPlace:
    """Where a device sits and what its configuration space says it is."""

    bdf: str
    device: str
    subsystem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformBytes:
    """nvmlPlatformInfo_v2_t, taken apart by its layout in nvml.h and not by the binding."""

    ib_guid: bytes
    chassis_serial: bytes
    slot: int
    tray: int
    host: int
    peer_type: int
    module: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricState:
    """nvmlGpuFabricInfo, from whichever version the driver offers."""

    cluster: bytes
    clique: int
    state: int
    status: int
    health: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """A hidden GPU; either answer may be unreadable by itself."""

    bdf: Callable[[], str]
    uuid: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidentialState:
    """State of confidential computing."""

    feature: int
    devtools: int


def bdf_text(domain: int, bus: int, device: int, function: int = 0) -> str:
    """Return a PCI address as sysfs writes it.

    Raises:
        UnreadableError: no bus has such an address.
    """
    if bus > _MAX_BUS or device > _MAX_DEVICE:
        raise out_of_range(bus << 32 | device)
    return f"{domain:04x}:{bus:02x}:{device:02x}.{function:x}"


def ask(function: Callable[..., T], *arguments: object) -> T:
    """Return what one binding function answers.

    Raises:
        UnreadableError: with the NVML code, or with the raw bytes that were not text.
    """
    try:
        return function(*arguments)
    except pynvml.NVMLError as error:
        raise refused(int(error.value)) from None
    except pynvml.NVMLLibraryMismatchError:  # is no NVMLError, and hides FunctionNotFound
        raise refused(FUNCTION_NOT_FOUND) from None
    except UnicodeDecodeError as error:
        raise not_text(bytes(error.object)) from None


def _function(name: str) -> Any:  # noqa: ANN401 - a foreign function
    return ask(pynvml._nvmlGetFunctionPointer, name)  # noqa: SLF001 - raw reading needs the pointer


def _check(code: int) -> None:
    if code != pynvml.NVML_SUCCESS:
        raise refused(int(code))


def use_library(library: object) -> None:
    """Make `library` (a CDLL or a stand-in) the one the binding calls.

    The binding keeps pointers into the library it had before, so they are dropped.
    """
    pynvml.nvmlLib = library
    pynvml._nvmlGetFunctionPointer_cache.clear()  # noqa: SLF001 - the cache has no other door


def initialise() -> None:
    """Initialise NVML without failing on a host that has no GPU (flag 1)."""
    ask(pynvml.nvmlInitWithFlags, 1)


def shut_down() -> None:
    """Let go of the driver."""
    ask(pynvml.nvmlShutdown)


def driver_version() -> str:
    """Return the version of the driver, as NVML says."""
    return str(ask(pynvml.nvmlSystemGetDriverVersion))


def driver_branch() -> str:
    """Return the branch of the driver."""
    return str(ask(lambda: pynvml.nvmlSystemGetDriverBranch().branch))


def nvml_version() -> str:
    """Return the version of the library."""
    return str(ask(pynvml.nvmlSystemGetNVMLVersion))


def cuda_version() -> int:
    """Return the CUDA version the driver supports, e.g. 13000 for 13.0."""
    return count(int(ask(pynvml.nvmlSystemGetCudaDriverVersion_v2)))


def confidential_state() -> ConfidentialState:
    """Return whether confidential computing and its developer mode are on."""
    state = ask(pynvml.nvmlSystemGetConfComputeState)
    return ConfidentialState(feature=count(state.ccFeature), devtools=count(state.devToolsMode))


def confidential_multi_gpu() -> int:
    """Return the multi-GPU mode of confidential computing.

    The binding returns the code of this call instead of raising it.
    """
    settings = pynvml.c_nvmlSystemConfComputeSettings_v1_t()
    _check(ask(pynvml.nvmlSystemGetConfComputeSettings, ctypes.byref(settings)))
    return count(settings.multiGpuMode)


def gpus_ready() -> int:
    """Return whether the GPUs accept work under confidential computing."""
    return count(int(ask(pynvml.nvmlSystemGetConfComputeGpusReadyState)))


def excluded_count() -> int:
    """Return how many GPUs the administrator hid with a module option."""
    return count(int(ask(pynvml.nvmlGetExcludedDeviceCount)))


def excluded_device(index: int) -> Excluded:
    """Return PCI address and UUID of a hidden GPU, each when it is asked for."""
    info: Any = ask(pynvml.nvmlGetExcludedDeviceInfoByIndex, index)
    return Excluded(
        bdf=lambda: bdf_text(info.pci.domain, info.pci.bus, info.pci.device),
        uuid=lambda: str(ask(lambda: info.uuid)),
    )


def device_count() -> int:
    """Return how many devices NVML counts; some of them may then refuse their handle."""
    return count(int(ask(pynvml.nvmlDeviceGetCount)))


def device_handle(index: int) -> Handle:
    """Return the handle at `index`, which initialises that one GPU."""
    handle: Handle = ask(pynvml.nvmlDeviceGetHandleByIndex, index)
    return handle


def mig_handle(handle: Handle, index: int) -> Handle:
    """Return the MIG device at placement `index`; NotFound (6) where there is none."""
    mig: Handle = ask(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
    return mig


def text_of(name: str, handle: Handle, *arguments: object) -> str:
    """Return the text answered by binding function `name`."""
    return str(ask(getattr(pynvml, name), handle, *arguments))


def number_of(name: str, handle: Handle, *arguments: object) -> int:
    """Return the number answered by binding function `name`."""
    return count(int(ask(getattr(pynvml, name), handle, *arguments)))


def numbers_of(name: str, handle: Handle, *arguments: object) -> tuple[int, ...]:
    """Return the numbers answered by binding function `name`."""
    return tuple(count(int(part)) for part in ask(getattr(pynvml, name), handle, *arguments))


def member_of(name: str, handle: Handle, member: str, *arguments: object) -> int:
    """Return one member of the struct answered by binding function `name`."""
    return count(int(getattr(ask(getattr(pynvml, name), handle, *arguments), member)))


def pdi(handle: Handle) -> str:
    """Return the per-die id, 16 lower-case hex digits; zero names no die and every die."""
    value = int(ask(pynvml.nvmlDeviceGetPdi, handle))
    if not value:
        raise out_of_range(value)
    return f"{value:016x}"


def pci_place(handle: Handle) -> PciPlace:
    """Return place and ids of a device."""
    info = ask(pynvml.nvmlDeviceGetPciInfo, handle)
    return PciPlace(
        bdf=bdf_text(info.domain, info.bus, info.device),
        device=f"{info.pciDeviceId:08x}",
        subsystem=f"{info.pciSubSystemId:08x}",
    )


def pci_class(handle: Handle) -> int:
    """Return base class and sub class, e.g. 0x0302. The caller has to set the version here."""
    info = pynvml.nvmlPciInfoExt_v1_t()
    info.version = pynvml.nvmlPciInfoExt_v1
    ask(pynvml.nvmlDeviceGetPciInfoExt, handle, ctypes.byref(info))
    return count(info.baseClass << 8 | info.subClass)


def module_id(handle: Handle) -> int:
    """Return the position on the baseboard.

    The binding's default argument is one object for all calls; a fresh one is passed.
    """
    return number_of("nvmlDeviceGetModuleId", handle, ctypes.c_uint())


def gsp_mode(handle: Handle) -> int:
    """Return whether GSP firmware runs; the same trap as :func:`module_id`."""
    enabled, _ = numbers_of(
        "nvmlDeviceGetGspFirmwareMode", handle, ctypes.c_uint(), ctypes.c_uint()
    )
    return enabled


def gsp_version(handle: Handle) -> str:
    """Return the GSP firmware version, which the binding leaves as bytes."""
    return text(bytes(ask(pynvml.nvmlDeviceGetGspFirmwareVersion, handle)))


def platform(handle: Handle) -> PlatformBytes:
    """Return the platform information.

    The binding declares `char` where C has `unsigned char`, so its fields stop at zero bytes
    and break on bytes above 0x7f. Only the raw bytes are true.
    """
    info = pynvml.c_nvmlPlatformInfo_v2_t()
    ask(pynvml.nvmlDeviceGetPlatformInfo, handle, ctypes.byref(info))
    raw = bytes(info)
    return PlatformBytes(
        ib_guid=raw[4:20],
        chassis_serial=raw[20:36],
        slot=raw[36],
        tray=raw[37],
        host=raw[38],
        peer_type=raw[39],
        module=raw[40],
    )


def fabric(handle: Handle) -> FabricState:
    """Return the NVLink fabric a chip belongs to, in the newest version the driver takes."""
    try:
        newest: Any = pynvml.c_nvmlGpuFabricInfo_v3_t()
        return _fabric(handle, newest)
    except UnreadableError as error:
        if error.reason.nvml != pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH:
            raise
    return _fabric(handle, pynvml.c_nvmlGpuFabricInfo_v2_t())


def _fabric(handle: Handle, info: Any) -> FabricState:  # noqa: ANN401 - a struct of the binding
    ask(pynvml.nvmlDeviceGetGpuFabricInfoV, handle, ctypes.byref(info))
    return FabricState(
        cluster=bytes(info.clusterUuid),
        clique=count(info.cliqueId),
        state=count(info.state),
        status=count(info.status),
        health=count(info.healthMask),
    )


def hostname_tag(handle: Handle) -> str:
    """Return the free text somebody attached to the device; a tag, never evidence."""
    return str(ask(lambda: pynvml.nvmlDeviceGetHostname_v1(handle)))


def recovery_action(handle: Handle) -> int:
    """Return what the driver wants done to the device: 0 none, 1 reset, 2 reboot."""
    return _field(handle, _FIELD_RECOVERY_ACTION)


def nvlink_count(handle: Handle) -> int:
    """Return how many NVLinks the device has, without walking them."""
    return _field(handle, _FIELD_NVLINK_COUNT)


def _field(handle: Handle, field: int) -> int:
    (answer,) = ask(pynvml.nvmlDeviceGetFieldValues, handle, [field])
    _check(answer.nvmlReturn)
    value = answer.value
    if answer.valueType in _SIGNED_TYPES:
        return count(int(value.sllVal))
    is_long = answer.valueType == pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG
    return count(int(value.ullVal if is_long else value.uiVal))


_NOT_PROBED = (
    "Accounting", "Certificate", "CPER", "Grid", "Handle", "Hostname", "Pdi", "Pgpu", "Process",
    "Serial", "Sessions", "Topology", "UUID", "Vgpu",
)  # fmt: skip
"""Words in the names of getters that answer about people and their work, or name things.

What names a thing was asked by the scan: a second answer may differ, and nobody would know it.
"""


def plain_getters(*, of_device: bool) -> tuple[str, ...]:
    """Return the binding's getters that need nothing, or nothing but a device handle."""
    prefix, needed = ("nvmlDeviceGet", 1) if of_device else ("nvmlSystemGet", 0)
    names = (name for name in sorted(vars(pynvml)) if name.startswith(prefix))
    return tuple(
        name
        for name in names
        if not any(word in name for word in _NOT_PROBED)
        and _required_arguments(getattr(pynvml, name)) == needed
    )


def _required_arguments(function: Callable[..., object]) -> int:
    parameters = inspect.signature(function).parameters.values()
    return sum(parameter.default is parameter.empty for parameter in parameters)


def probe(name: str, *arguments: object) -> None:
    """Call a getter for the sake of whoever listens at the library's border."""
    with contextlib.suppress(UnreadableError, TypeError, ValueError, AttributeError):
        ask(getattr(pynvml, name), *arguments)


def probe_sram_entries(handle: Handle) -> None:
    """Call the one getter whose struct points to further memory, sized by a first call."""
    counts = pynvml.c_nvmlEccSramUniqueUncorrectedErrorCounts_v1_t()
    with contextlib.suppress(UnreadableError):
        ask(pynvml.nvmlDeviceGetSramUniqueUncorrectedEccErrorCounts, handle, ctypes.byref(counts))
    entries = (pynvml.c_nvmlEccSramUniqueUncorrectedErrorEntry_v1_t * counts.entryCount)()
    counts.entries = ctypes.cast(entries, type(counts.entries))
    with contextlib.suppress(UnreadableError):
        ask(pynvml.nvmlDeviceGetSramUniqueUncorrectedEccErrorCounts, handle, ctypes.byref(counts))


def attestation_chain(handle: Handle) -> bytes:
    """Return the PEM chain of the device's attestation key, exactly as the library gives it.

    A failed call under confidential computing can end that mode: ask only where it is on.
    """
    given: Any = ask(pynvml.nvmlDeviceGetConfComputeGpuCertificate, handle)
    return _cut(bytes(given.attestationCertChain), int(given.attestationCertChainSize))


def attestation_report(handle: Handle, nonce: bytes) -> bytes:
    """Return the device's signed report over `nonce` (32 bytes), exactly as it is given.

    The same warning as for :func:`attestation_chain`.
    """
    given: Any = ask(pynvml.nvmlDeviceGetConfComputeGpuAttestationReport, handle, nonce)
    return _cut(bytes(given.attestationReport), int(given.attestationReportSize))


def _cut(buffer: bytes, size: int) -> bytes:
    if not 0 < size <= len(buffer):
        raise out_of_range(size)
    return buffer[:size]
