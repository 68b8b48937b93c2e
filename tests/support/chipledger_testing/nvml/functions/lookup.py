"""Counting devices, opening handles, and where each device sits."""

import struct

from chipledger_testing.nvml.border import RefusalError, memory, number, put, put_handle, text
from chipledger_testing.nvml.functions.kinds import (
    Arguments,
    Chip,
    Function,
    Library,
    Versions,
    of_chip,
    versioned,
)
from chipledger_testing.nvml.machine import Answer, Fields, Gpu
from chipledger_testing.nvml.pci import PciAddress, PciFunction

_PCI_INFO = "16s5I32s"


class Whole:
    """A handle's meaning: the whole GPU."""

    is_mig = False

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu

    def answer(self, name: str) -> Answer:
        """Return the GPU's answer."""
        return self.gpu.answer(name)


class Slice:
    """A handle's meaning: one MIG device."""

    is_mig = True

    def __init__(self, gpu: Gpu, fields: Fields) -> None:
        self.gpu = gpu
        self._fields = fields

    def answer(self, name: str) -> Answer:
        """Return the MIG device's own answer; it has no serial, PDI or VBIOS of its own."""
        return self._fields.get(name, Answer(err=3))


def listed(library: Library) -> tuple[Gpu, ...]:
    """Return the GPUs NVML counts, in index order."""
    return tuple(gpu for gpu in library.machine.gpus if gpu.in_nvml)


def _open(library: Library, gpu: Gpu, out: object) -> int:
    library.ready(gpu.handle)
    put_handle(out, library.open(Whole(gpu)))
    return 0


def count(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetCount_v2: counts devices whose handle will then be refused, too."""
    answer = library.machine.system.get("device_count")
    total = len(listed(library)) if answer is None else library.ready(answer).value
    put(arguments[0], "I", number(total))
    return 0


def by_index(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetHandleByIndex_v2."""
    gpus = listed(library)
    index = number(arguments[0])
    if index >= len(gpus):
        return 2
    return _open(library, gpus[index], arguments[1])


def by_uuid(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetHandleByUUID: NotFound (6) when no device answers to it."""
    wanted = text(arguments[0])
    for gpu in listed(library):
        if gpu.answer("uuid").value == wanted:
            return _open(library, gpu, arguments[1])
    return 6


def by_serial(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetHandleBySerial: InvalidArgument (2) when two chips share the board."""
    wanted = text(arguments[0])
    found = [gpu for gpu in listed(library) if gpu.answer("serial").value == wanted]
    if len(found) > 1:
        return 2
    return _open(library, found[0], arguments[1]) if found else 6


def by_pci(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetHandleByPciBusId_v2."""
    try:
        wanted = PciAddress.parse(text(arguments[0]))
    except ValueError:
        return 2
    for gpu in listed(library):
        if gpu.pci.address == wanted:
            return _open(library, gpu, arguments[1])
    return 6


def index_of(library: Library, arguments: Arguments) -> int:
    """Place in the order of the handles (nvmlDeviceGetIndex)."""
    gpu = library.chip(arguments[0]).gpu
    put(arguments[1], "I", listed(library).index(gpu))
    return 0


def _pci_bytes(pci: PciFunction) -> bytes:
    a = pci.address
    ids = (a.domain, a.bus, a.device, pci.device_id, pci.subsystem_id)
    return struct.pack("@" + _PCI_INFO, a.nvml_legacy.encode(), *ids, a.nvml.encode())


def pci_info(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetPciInfo_v3; field `pci_info` overrides it with a refusal or raw bytes."""
    chip = library.chip(arguments[0])
    answer = chip.gpu.fields.get("pci_info")
    if answer is not None and library.ready(answer).raw is not None:
        memory(arguments[1]).write(answer.raw or b"")
    else:
        memory(arguments[1]).write(_pci_bytes(chip.gpu.pci))
    return 0


def pci_info_ext(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetPciInfoExt: as PciInfo, with the class, versioned by the caller."""
    pci = library.chip(arguments[0]).gpu.pci
    a = pci.address

    def fill(answer: Answer) -> tuple[int | bytes, ...]:
        del answer
        ids = (a.domain, a.bus, a.device, pci.device_id, pci.subsystem_id)
        return (*ids, pci.class_code >> 16, pci.class_code >> 8 & 0xFF, a.nvml.encode())

    source = of_chip("pci_info_ext")
    given = library.chip(arguments[0]).gpu.fields.get("pci_info_ext")
    layout = Versions({1: ("7I32s", fill)})
    if given is None:
        return versioned(lambda _library, _arguments: Answer(), layout)(library, arguments)
    return versioned(source, layout)(library, arguments)


def excluded_count(library: Library, arguments: Arguments) -> int:
    """Number of GPUs the administrator hid (nvmlGetExcludedDeviceCount)."""
    put(arguments[0], "I", len(library.machine.excluded))
    return 0


def excluded_info(library: Library, arguments: Arguments) -> int:
    """nvmlGetExcludedDeviceInfoByIndex: place and UUID of a GPU the administrator hid."""
    excluded = library.machine.excluded
    index = number(arguments[0])
    if index >= len(excluded):
        return 2
    pci, uuid = excluded[index]
    memory(arguments[1]).write(_pci_bytes(pci) + struct.pack("@80s", uuid.encode()))
    return 0


def same_board(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceOnSameBoard: chips that answer one serial are on one board."""
    first, second = (library.chip(argument).gpu for argument in arguments[:2])
    serial = first.answer("serial").value
    put(arguments[2], "i", int(serial is not None and serial == second.answer("serial").value))
    return 0


def mig_by_index(library: Library, arguments: Arguments) -> int:
    """nvmlDeviceGetMigDeviceHandleByIndex: NotFound (6) at an index nobody occupies."""
    chip = library.chip(arguments[0])
    if chip.is_mig:
        raise RefusalError(2)
    for index, fields in chip.gpu.mig_devices:
        if index == number(arguments[1]):
            put_handle(arguments[2], library.open(Slice(chip.gpu, fields)))
            return 0
    return 6


def is_mig_handle(library: Library, arguments: Arguments) -> int:
    """Whether the handle is a MIG device (nvmlDeviceIsMigDeviceHandle)."""
    put(arguments[1], "I", int(library.chip(arguments[0]).is_mig))
    return 0


def parent_of_mig(library: Library, arguments: Arguments) -> int:
    """Parent of a MIG device (nvmlDeviceGetDeviceHandleFromMigDeviceHandle)."""
    chip: Chip = library.chip(arguments[0])
    put_handle(arguments[1], library.open(Whole(chip.gpu)))
    return 0


FUNCTIONS: dict[str, Function] = {
    "nvmlDeviceGetCount_v2": count,
    "nvmlDeviceGetHandleByIndex_v2": by_index,
    "nvmlDeviceGetHandleByUUID": by_uuid,
    "nvmlDeviceGetHandleBySerial": by_serial,
    "nvmlDeviceGetHandleByPciBusId_v2": by_pci,
    "nvmlDeviceGetIndex": index_of,
    "nvmlDeviceGetPciInfo_v3": pci_info,
    "nvmlDeviceGetPciInfoExt": pci_info_ext,
    "nvmlGetExcludedDeviceCount": excluded_count,
    "nvmlGetExcludedDeviceInfoByIndex": excluded_info,
    "nvmlDeviceOnSameBoard": same_board,
    "nvmlDeviceGetMigDeviceHandleByIndex": mig_by_index,
    "nvmlDeviceIsMigDeviceHandle": is_mig_handle,
    "nvmlDeviceGetDeviceHandleFromMigDeviceHandle": parent_of_mig,
}
