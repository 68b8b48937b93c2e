"""PCI functions and kernel-module entries of a simulated host."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

_ADDRESS = re.compile(r"^([0-9a-fA-F]{4,8}):([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-7])$")
NVIDIA = 0x10DE


@dataclass(frozen=True, slots=True, order=True)
class PciAddress:
    """Domain, bus, device and function of one PCI function."""

    domain: int
    bus: int
    device: int
    function: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address written as sysfs or as NVML writes it."""
        match = _ADDRESS.match(text)
        if match is None:
            raise ValueError(f"not a PCI address: {text!r}")
        return cls(*(int(part, 16) for part in match.groups()))

    @property
    def sysfs(self) -> str:
        """As sysfs writes it: lower case, four digits of domain, more only when needed."""
        return f"{self.domain:04x}:{self.bus:02x}:{self.device:02x}.{self.function}"

    @property
    def nvml(self) -> str:
        """As NVML writes it since 9.0: upper case, eight digits of domain."""
        return f"{self.domain:08X}:{self.bus:02X}:{self.device:02X}.{self.function}"

    @property
    def nvml_legacy(self) -> str:
        """As NVML wrote it before 9.0: upper case, four digits of domain."""
        return f"{self.domain & 0xFFFF:04X}:{self.bus:02X}:{self.device:02X}.{self.function}"

    @property
    def board_id(self) -> int:
        """What nvmlDeviceGetBoardId answers: domain, bus and device packed; no identity."""
        return self.domain << 16 | self.bus << 8 | self.device


@dataclass(frozen=True, slots=True, kw_only=True)
class PciFunction:
    """One function of the PCI bus as sysfs shows it.

    `device_id` and `subsystem_id` are device ‖ vendor, as NVML writes them (0x233010DE).
    """

    address: PciAddress
    device_id: int
    subsystem_id: int
    class_code: int = 0x030200
    revision: int = 0xA1
    driver: str | None = "nvidia"
    physfn: PciAddress | None = None
    numa_node: int = 0
    dsn: int | None = None

    @classmethod
    def parse(cls, node: Mapping[str, Any]) -> Self:
        """Return the function a JSON object describes; ids and class are hex text."""
        physfn = node.get("physfn")
        dsn = node.get("dsn")
        return cls(
            address=PciAddress.parse(node["address"]),
            device_id=int(node["device_id"], 16),
            subsystem_id=int(node["subsystem_id"], 16),
            class_code=int(node.get("class", "030200"), 16),
            revision=int(node.get("revision", "a1"), 16),
            driver=node.get("driver", "nvidia"),
            physfn=None if physfn is None else PciAddress.parse(physfn),
            numa_node=node.get("numa_node", 0),
            dsn=None if dsn is None else int(dsn, 16),
        )

    def dump(self) -> dict[str, object]:
        """Return the JSON object of this function."""
        return {
            "address": self.address.sysfs,
            "device_id": f"{self.device_id:08X}",
            "subsystem_id": f"{self.subsystem_id:08X}",
            "class": f"{self.class_code:06x}",
            "revision": f"{self.revision:02x}",
            "driver": self.driver,
            "physfn": None if self.physfn is None else self.physfn.sysfs,
            "numa_node": self.numa_node,
            "dsn": None if self.dsn is None else f"{self.dsn:016x}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcGpu:
    """One /proc/driver/nvidia/gpus/<address>/information."""

    address: PciAddress
    model: str
    uuid: str
    vbios: str
    minor: int
    firmware: str = "N/A"
    excluded: str = "No"

    @classmethod
    def parse(cls, node: Mapping[str, Any]) -> Self:
        """Return the entry a JSON object describes."""
        return cls(**{**node, "address": PciAddress.parse(node["address"])})

    def dump(self) -> dict[str, object]:
        """Return the JSON object of this entry."""
        return {
            "address": self.address.sysfs,
            "model": self.model,
            "uuid": self.uuid,
            "vbios": self.vbios,
            "minor": self.minor,
            "firmware": self.firmware,
            "excluded": self.excluded,
        }
