"""The PCI view: what sysfs shows of the vendor's functions, whatever NVML says.

Read from sysfs, so it stands when no driver is loaded, when a chip fell off NVML, and when a
chip is passed to a virtual machine (bound to vfio-pci: present, unidentified).
"""

import os
import re
import struct
from pathlib import Path

from chipledger_agent.scan.lines import PciView
from chipledger_agent.scan.reading import (
    TOO_MANY,
    Fields,
    UnreadableError,
    count,
    not_text,
    os_error,
    out_of_range,
)
from chipledger_evidence.inventory import (
    MAX_PCI_FUNCTIONS,
    PciFunction,
    PciKind,
    Reasons,
    Unread,
    Why,
)

_VENDOR = "0x10de"
_BDF = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_MAX_TEXT = 256
_MAX_HEX = 64
_MAX_NODE = 65535
_GPU_CLASSES = ("0302", "0300")  # 3D controller, VGA controller
_SWITCH_CLASS = "0680"  # other bridge: what an NVSwitch is
_EXTENDED_SPACE = 0x100
_CAPABILITY_DSN = 0x0003
_MAX_CAPABILITIES = 64
_NO_DSN_BITS = 24  # a serial number of only the vendor's OUI stands for none


def pci_view(root: Path) -> PciView:
    """Return every PCI function of vendor 0x10de under `root`, by address."""
    folder = root / "sys/bus/pci/devices"
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return PciView(unread={"pci": Unread(why=Why.OS_ERROR)})
    unread: Reasons = {}
    ours = []
    for device in (folder / name for name in names if _BDF.fullmatch(name)):
        try:
            if _is_ours(device):
                ours.append(device)
        except OSError:  # it may be a chip
            unread["pci"] = Unread(why=Why.OS_ERROR)
    if len(ours) > MAX_PCI_FUNCTIONS:
        unread["pci"] = TOO_MANY
    functions = tuple(_function(device) for device in ours[:MAX_PCI_FUNCTIONS])
    return PciView(functions=functions, unread=unread)


def _is_ours(device: Path) -> bool:
    try:
        return _text(device / "vendor") == _VENDOR
    except (FileNotFoundError, NotADirectoryError):  # unplugged a moment ago
        return False


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip()[:_MAX_TEXT]


def _line(path: Path) -> str:
    try:
        return _text(path)
    except OSError as error:
        raise os_error() from error


def _hex(path: Path) -> str:
    return _line(path).removeprefix("0x")[:_MAX_HEX]


def _number(path: Path) -> int:
    line = _line(path)
    try:
        return int(line)
    except ValueError as error:
        raise not_text(line.encode()) from error


def _node(path: Path) -> int:
    """Return the NUMA node of a device; -1 where the machine has none."""
    node = _number(path)
    if not -1 <= node <= _MAX_NODE:
        raise out_of_range(node)
    return node


def _address(name: str | None) -> str | None:
    if name is not None and not _BDF.fullmatch(name):
        raise not_text(name.encode())
    return name


def _link(path: Path) -> str | None:
    """Return the name a link points to; None where there is no link."""
    try:
        return path.readlink().name
    except FileNotFoundError:
        return None
    except OSError as error:
        raise os_error() from error


def _function(device: Path) -> PciFunction:
    fields = Fields()
    asks = {
        "subsystem": lambda: _hex(device / "subsystem_device") + _hex(device / "subsystem_vendor"),
        "class_code": lambda: _hex(device / "class"),
        "revision": lambda: _hex(device / "revision"),
        "driver": lambda: _link(device / "driver"),
        "physical_function": lambda: _address(_link(device / "physfn")),
        "virtual_functions": lambda: _virtual_functions(device),
        "numa_node": lambda: _node(device / "numa_node"),
    }
    device_id = _or_unknown(fields, device)
    for name, ask in asks.items():
        fields.read(name, ask)
    class_code = str(fields.values.get("class_code", ""))
    kind = _kind(class_code, is_virtual=bool(fields.values.get("physical_function")))
    if kind is PciKind.GPU:
        fields.read("dsn", lambda: _serial_number(device / "config"))
    return PciFunction(
        bdf=device.name, kind=kind, device=device_id, unread=fields.unread, **fields.values
    )


def _or_unknown(fields: Fields, device: Path) -> str:
    """Return device ‖ vendor id; empty, with a reason, when sysfs does not tell."""
    try:
        return _hex(device / "device") + _VENDOR.removeprefix("0x")
    except UnreadableError as error:
        fields.unread["device"] = error.reason
        return ""


def _kind(class_code: str, *, is_virtual: bool) -> PciKind:
    if is_virtual:  # carries the card's own ids, and is no chip
        return PciKind.VIRTUAL_FUNCTION
    if class_code.startswith(_GPU_CLASSES):
        return PciKind.GPU
    return PciKind.NVSWITCH if class_code.startswith(_SWITCH_CLASS) else PciKind.OTHER


def _virtual_functions(device: Path) -> int | None:
    path = device / "sriov_numvfs"
    return count(_number(path)) if os.path.lexists(path) else None


def _serial_number(config: Path) -> str | None:
    """Return the PCIe Device Serial Number, 16 hex digits; None where it is not readable.

    Only root is shown the extended configuration space (PCI Express base specification,
    7.9.3); everybody else gets the first 64 bytes.
    """
    try:
        space = config.read_bytes()
    except OSError as error:
        raise os_error() from error
    offset = _EXTENDED_SPACE
    for _ in range(_MAX_CAPABILITIES):
        if not _EXTENDED_SPACE <= offset <= len(space) - 12:
            return None
        (header,) = struct.unpack_from("<I", space, offset)
        if header & 0xFFFF == _CAPABILITY_DSN:
            (value,) = struct.unpack_from("<Q", space, offset + 4)
            return f"{value:016x}" if value >> _NO_DSN_BITS else None
        offset = header >> 20
    return None
