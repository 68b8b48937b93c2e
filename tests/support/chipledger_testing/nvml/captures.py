"""Machine descriptions made from real `nvidia-smi -q -x` documents.

nvidia-smi prints most of what NVML answers; `N/A` becomes NotSupported. What it does not
print (core count, bus width, confidential-computing state) is NotSupported here, too.
"""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chipledger_testing.nvml.machine import FORMAT, Machine, parse_machine

_MIB = 1 << 20
_NOT_AVAILABLE = ("N/A", "Requested functionality has been deprecated", "Unknown Error")
_BRANDS = {"Tesla": 2, "GeForce": 5, "NVIDIA RTX": 13, "NVIDIA": 14}
_ARCHITECTURES = {
    "Volta": 5, "Turing": 6, "Ampere": 7, "Ada Lovelace": 8, "Hopper": 9, "Blackwell": 10,
}  # fmt: skip
_COMPUTE = {5: [7, 0], 6: [7, 5], 7: [8, 0], 8: [8, 9], 9: [9, 0], 10: [10, 0]}
_ADDRESSING = {"None": 0, "HMM": 1, "ATS": 2}
_VIRTUALIZATION = {"None": 0, "Pass-Through": 1, "VGPU": 2, "Host VGPU": 3, "Host VSGA": 4}
_RECOVERY = {"None": 0, "Reset": 1, "Reboot": 2, "Drain P2P": 3, "Drain and Reset": 4}
_FABRIC_STATE = {"Not Started": 1, "In Progress": 2, "Completed": 3}
_SUMMARY = {"Healthy": 1, "Unhealthy": 2, "Limited Capacity": 3}
_TRUTH = {"True": 1, "False": 2, "Full": 2, "Degraded": 1}
_SWITCHED = {"False": 0, "True": 1, "No": 0, "Yes": 1, "Disabled": 0, "Enabled": 1}


class _Node:
    """Reads leaves of one <gpu>; None where nvidia-smi says it is not available."""

    def __init__(self, element: ET.Element) -> None:
        self._element = element

    def text(self, path: str) -> str | None:
        found = self._element.find(path)
        value = "" if found is None else (found.text or "").strip()
        absent = found is None or value in _NOT_AVAILABLE
        return None if absent else value

    def amount(self, path: str, factor: int = 1) -> int | None:
        """Return the leading number of `81559 MiB`, `700.00 W`, `16x` times `factor`."""
        text = self.text(path)
        if text is None:
            return None
        number = text.split()[0].rstrip("x")
        whole, _, fraction = number.partition(".")
        return int(whole) * factor + int((fraction + "000")[:3]) * factor // 1000

    def choice(self, path: str, table: dict[str, int]) -> int | None:
        """Return the number behind one of nvidia-smi's words."""
        text = self.text(path)
        return None if text is None else table.get(text)

    def several(self, *paths: str, table: dict[str, int] | None = None) -> list[int] | None:
        """Return several numbers, or None when one of them is not available."""
        values = [self.choice(p, table) if table else self.amount(p) for p in paths]
        known = [value for value in values if value is not None]
        return known if len(known) == len(values) else None


def _platform(node: _Node) -> dict[str, int | str] | None:
    host = node.amount("platformInfo/host_id")
    if host is None:
        return None
    guid = node.text("platformInfo/gpu_fabric_guid") or "0x0"
    peer = node.text("platformInfo/peer_type")
    # 255: what "not applicable" looks like in these one-byte fields is not documented.
    return {
        "ib_guid": f"{int(guid, 16):016x}" + "00" * 8,
        "chassis": node.text("platformInfo/chassis_serial_number") or "",
        "slot": _or(node.amount("platformInfo/slot_number"), 255),
        "tray": _or(node.amount("platformInfo/tray_index"), 255),
        "host": host,
        "peer_type": int(peer == "Switch Connected"),
        "module": _or(node.amount("platformInfo/module_id"), 0),
    }


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _fabric(node: _Node) -> dict[str, int | str] | None:
    state = node.choice("fabric/state", _FABRIC_STATE)
    if state is None:
        return None
    parts = ("bandwidth", "route_recovery_in_progress", "route_unhealthy",
             "access_timeout_recovery")  # fmt: skip
    mask = 0
    for position, part in enumerate(parts):
        mask |= _or(node.choice(f"fabric/health/{part}", _TRUTH), 0) << 2 * position
    return {
        "cluster": node.text("fabric/clusterUuid") or "",
        "clique": _or(node.amount("fabric/cliqueId"), 0),
        "status": 0 if node.text("fabric/status") == "Success" else 999,
        "state": state,
        "health_mask": mask,
        "health_summary": _or(node.choice("fabric/health/summary", _SUMMARY), 0),
    }


def _bbx_flush(node: _Node) -> list[int] | None:
    stamp = node.text("inforom_bbx_flush/latest_timestamp")
    duration = node.amount("inforom_bbx_flush/latest_duration")
    if stamp is None or duration is None:
        return None
    moment = datetime.strptime(stamp, "%Y/%m/%d %H:%M:%S.%f").replace(tzinfo=UTC)
    return [int(moment.timestamp()) * 10**6 + moment.microsecond, duration]


def _errors(node: _Node) -> dict[str, list[int] | None]:
    volatile, aggregate = "ecc_errors/volatile/", "ecc_errors/aggregate/"
    sources = "ecc_errors/aggregate_uncorrectable_sram_sources/sram_"
    totals: list[int] = []
    for scope in (volatile, aggregate):
        corrected = node.several(scope + "sram_correctable", scope + "dram_correctable")
        wrong = node.several(
            scope + "sram_uncorrectable_parity",
            scope + "sram_uncorrectable_secded",
            scope + "dram_uncorrectable",
        )
        totals += [] if corrected is None or wrong is None else [sum(corrected), sum(wrong)]
    names = ("sram_uncorrectable_parity", "sram_uncorrectable_secded", "sram_correctable")
    sram = node.several(
        *(aggregate + name for name in names),
        *(volatile + name for name in names),
        *(sources + name for name in ("l2", "sm", "pcie", "microcontroller", "other")),
    )
    over = node.several(aggregate + "sram_threshold_exceeded", table=_SWITCHED)
    return {
        "ecc_total": totals if len(totals) == 4 else None,
        "sram_ecc": None if sram is None or over is None else sram + over,
    }


def _repair(node: _Node) -> dict[str, list[int] | None]:
    rows, histogram = "remapped_rows/remapped_row_", "remapped_rows/row_remapper_histogram/"
    counts = node.several(rows + "corr", rows + "unc")
    flags = node.several(rows + "pending", rows + "failure", table=_SWITCHED)
    return {
        "remapped_rows": None if counts is None or flags is None else counts + flags,
        "row_histogram": node.several(
            *(f"{histogram}row_remapper_histogram_{n}" for n in
              ("max", "high", "partial", "low", "none"))
        ),
        "repair_status": node.several(
            "ecc_errors/channel_repair_pending", "ecc_errors/tpc_repair_pending", table=_SWITCHED
        ),
    }  # fmt: skip


def _identity(node: _Node) -> dict[str, object]:
    pdi = node.text("pdi")
    return {
        "uuid": node.text("uuid"),
        "pdi": None if pdi is None else int(pdi, 16),
        "serial": node.text("serial"),
        "board_part_number": node.text("board_part_number"),
        "name": node.text("product_name"),
        "vbios": node.text("vbios_version"),
        "inforom_image": node.text("inforom_version/img_version"),
        "inforom_oem": node.text("inforom_version/oem_object"),
        "inforom_ecc": node.text("inforom_version/ecc_object"),
        "inforom_power": node.text("inforom_version/pwr_object"),
        "minor_number": node.amount("minor_number"),
        "multi_gpu_board": node.choice("multigpu_board", _SWITCHED),
        "module_id": node.amount("platformInfo/module_id"),
        "platform": _platform(node),
        "fabric": _fabric(node),
        "gsp_version": node.text("gsp_firmware_version"),
    }


def _model(node: _Node) -> dict[str, object]:
    architecture = node.choice("product_architecture", _ARCHITECTURES)
    fb = node.several("fb_memory_usage/total", "fb_memory_usage/reserved")
    low = node.amount("gpu_power_readings/min_power_limit", 1000)
    high = node.amount("gpu_power_readings/max_power_limit", 1000)
    gsp = node.text("gsp_firmware_version")
    return {
        "brand": node.choice("product_brand", _BRANDS),
        "architecture": architecture,
        "compute_capability": _COMPUTE.get(architecture or 0),
        "persistence_mode": node.choice("persistence_mode", _SWITCHED),
        "memory": None if fb is None else [part * _MIB for part in fb],
        "bar1_bytes": node.amount("bar1_memory_usage/total", _MIB),
        "power_default_mw": node.amount("gpu_power_readings/default_power_limit", 1000),
        "power_limits_mw": None if low is None or high is None else [low, high],
        "max_sm_clock_mhz": node.amount("max_clocks/sm_clock"),
        "max_mem_clock_mhz": node.amount("max_clocks/mem_clock"),
        "pcie_max_generation": node.amount("pci/pci_gpu_link_info/pcie_gen/max_device_link_gen"),
        "pcie_max_width": node.amount("pci/pci_gpu_link_info/link_widths/max_link_width"),
        "ecc_mode": node.several("ecc_mode/current_ecc", "ecc_mode/pending_ecc", table=_SWITCHED),
        "mig_mode": node.several("mig_mode/current_mig", "mig_mode/pending_mig", table=_SWITCHED),
        "virtualization_mode": node.choice(
            "gpu_virtualization_mode/virtualization_mode", _VIRTUALIZATION
        ),
        "c2c_mode": node.choice("c2c_mode", _SWITCHED),
        "addressing_mode": node.choice("addressing_mode", _ADDRESSING),
        "dram_encryption": node.several(
            "dram_encryption_mode/current_dram_encryption",
            "dram_encryption_mode/pending_dram_encryption",
            table=_SWITCHED,
        ),
        "gsp_mode": None if gsp is None else [1, 1],
        "bus_type": 2,
        "field_230": node.choice("gpu_recovery_action", _RECOVERY),
        "bbx_flush": _bbx_flush(node),
    }


def _gpu(element: ET.Element) -> dict[str, Any]:
    node = _Node(element)
    fields = {**_identity(node), **_model(node), **_errors(node), **_repair(node)}
    base, sub = node.amount("pci/pci_base_class") or 3, node.amount("pci/pci_sub_class") or 0
    return {
        **{name: value for name, value in fields.items() if value is not None},
        "pci": {
            "address": element.attrib["id"],
            "device_id": node.text("pci/pci_device_id"),
            "subsystem_id": node.text("pci/pci_sub_system_id"),
            "class": f"{base:02x}{sub:02x}00",
        },
    }


def capture_document(path: Path) -> dict[str, Any]:
    """Return the machine document of one `nvidia-smi -q -x` file."""
    root = ET.parse(path).getroot()  # noqa: S314 - a file of our own tests
    driver = root.findtext("driver_version", "").strip()
    major, _, minor = root.findtext("cuda_version", "0.0").partition(".")
    return {
        "format": FORMAT,
        "name": path.stem,
        "source": f"nvidia-smi -q -x, {path.name}",
        "system": {
            "driver_version": driver,
            "nvml_version": f"{major}.{driver}",
            "cuda_version": int(major) * 1000 + int(minor) * 10,
        },
        "gpus": [_gpu(element) for element in root.iterfind("gpu")],
    }


def machine_from_capture(path: Path) -> Machine:
    """Return the machine described by one `nvidia-smi -q -x` file."""
    return parse_machine(capture_document(path))
