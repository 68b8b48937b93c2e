"""The sysfs and /proc trees of a simulated host, written under a temporary root.

The layout is the kernel's: `/sys/bus/pci/devices/*` are links into `/sys/devices`, `driver`
and `physfn` are links, `config` holds the configuration space. What unprivileged readers see
of `config` is its first 64 bytes; pass `privileged` to write the extended space as well.
"""

import struct
from pathlib import Path

from chipledger_testing.nvml.machine import Machine
from chipledger_testing.nvml.pci import PciFunction, ProcGpu

_CONFIG_HEAD = 64
_CONFIG_WHOLE = 4096
_DSN_CAPABILITY = 0x0003
_DSN_OFFSET = 0x2F0


def write_trees(machine: Machine, root: Path, *, privileged: bool = False) -> Path:
    """Write both trees of `machine` under `root` and return `root`."""
    _write_sysfs(machine, root, privileged=privileged)
    _write_proc(machine, root)
    return root


def _write_sysfs(machine: Machine, root: Path, *, privileged: bool) -> None:
    bus = root / "sys/bus/pci/devices"
    bus.mkdir(parents=True, exist_ok=True)
    for function in machine.pci:
        address = function.address
        real = root / f"sys/devices/pci{address.domain:04x}:{address.bus:02x}" / address.sysfs
        real.mkdir(parents=True)
        (bus / address.sysfs).symlink_to(_up(bus, root) / real.relative_to(root))
        _write_function(function, real, root, privileged=privileged)
    _write_links(machine, root)
    dmi = root / "sys/class/dmi/id"
    dmi.mkdir(parents=True, exist_ok=True)
    for name, value in machine.dmi.items():
        (dmi / name).write_text(value + "\n")


def _up(start: Path, root: Path) -> Path:
    return Path(*[".."] * len(start.relative_to(root).parts))


def _write_function(function: PciFunction, real: Path, root: Path, *, privileged: bool) -> None:
    values = {
        "vendor": f"0x{function.device_id & 0xFFFF:04x}",
        "device": f"0x{function.device_id >> 16:04x}",
        "subsystem_vendor": f"0x{function.subsystem_id & 0xFFFF:04x}",
        "subsystem_device": f"0x{function.subsystem_id >> 16:04x}",
        "class": f"0x{function.class_code:06x}",
        "revision": f"0x{function.revision:02x}",
        "numa_node": str(function.numa_node),
    }
    for name, value in values.items():
        (real / name).write_text(value + "\n")
    (real / "config").write_bytes(_config(function, privileged=privileged))
    if function.driver is not None:
        driver = root / "sys/bus/pci/drivers" / function.driver
        driver.mkdir(parents=True, exist_ok=True)
        (real / "driver").symlink_to(_up(real, root) / driver.relative_to(root))


def _write_links(machine: Machine, root: Path) -> None:
    counts: dict[Path, int] = {}
    devices = root / "sys/bus/pci/devices"
    for function in machine.pci:
        if function.physfn is None:
            continue
        virtual = (devices / function.address.sysfs).resolve()
        physical = (devices / function.physfn.sysfs).resolve()
        (virtual / "physfn").symlink_to(
            _up(virtual, root.resolve()) / physical.relative_to(root.resolve())
        )
        index = counts[physical] = counts.get(physical, -1) + 1
        (physical / f"virtfn{index}").symlink_to(virtual)
    for physical, last in counts.items():
        (physical / "sriov_numvfs").write_text(f"{last + 1}\n")


def _config(function: PciFunction, *, privileged: bool) -> bytes:
    head = struct.pack("<HH", function.device_id & 0xFFFF, function.device_id >> 16)
    head += bytes(4) + bytes([function.revision]) + function.class_code.to_bytes(3, "little")
    head += bytes(0x2C - len(head))
    head += struct.pack("<HH", function.subsystem_id & 0xFFFF, function.subsystem_id >> 16)
    head += bytes(_CONFIG_HEAD - len(head))
    if not privileged:
        return head
    space = bytearray(head + bytes(_CONFIG_WHOLE - len(head)))
    # first extended capability at 0x100: vendor specific, pointing to the serial number
    struct.pack_into("<I", space, 0x100, 0x000B | 1 << 16 | _DSN_OFFSET << 20)
    struct.pack_into("<I", space, _DSN_OFFSET, _DSN_CAPABILITY | 1 << 16)
    struct.pack_into("<Q", space, _DSN_OFFSET + 4, function.dsn or 0)
    return bytes(space)


def _write_proc(machine: Machine, root: Path) -> None:
    base = root / "proc/driver/nvidia"
    if machine.proc_version is None:
        (root / "proc").mkdir(parents=True, exist_ok=True)
        return
    (base / "gpus").mkdir(parents=True)
    (base / "version").write_text(machine.proc_version)
    for entry in machine.proc:
        folder = base / "gpus" / entry.address.sysfs
        folder.mkdir()
        (folder / "information").write_text(_information(entry))


def _information(entry: ProcGpu) -> str:
    return (
        f"Model: \t\t {entry.model}\n"
        "IRQ:   \t\t 217\n"
        f"GPU UUID: \t {entry.uuid}\n"
        f"Video BIOS: \t {entry.vbios}\n"
        "Bus Type: \t PCIe\n"
        "DMA Size: \t 52 bits\n"
        "DMA Mask: \t 0xfffffffffffff\n"
        f"Bus Location: \t {entry.address.sysfs}\n"
        f"Device Minor: \t {entry.minor}\n"
        f"GPU Firmware: \t {entry.firmware}\n"
        f"GPU Excluded:\t {entry.excluded}\n"
    )
