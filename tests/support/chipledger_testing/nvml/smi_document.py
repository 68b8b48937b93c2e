"""What `nvidia-smi -q -x` would print of a simulated host: as much as names chips, no more."""

import xml.etree.ElementTree as ET

from chipledger_testing.nvml.machine import Gpu, Machine

_ELEMENTS = {
    "product_name": "name",
    "serial": "serial",
    "uuid": "uuid",
    "board_part_number": "board_part_number",
}


def smi_document(machine: Machine) -> bytes:
    """Return the document, as an operator who wants to be believed would send it."""
    root = ET.Element("nvidia_smi_log")
    _put(root, "driver_version", machine.system["driver_version"].value)
    _put(root, "attached_gpus", len(machine.gpus))
    for gpu in machine.gpus:
        _put_gpu(ET.SubElement(root, "gpu", id=gpu.pci.address.nvml), gpu)
    return b'<?xml version="1.0" ?>\n' + ET.tostring(root, encoding="unicode").encode()


def _put_gpu(element: ET.Element, gpu: Gpu) -> None:
    for tag, field in _ELEMENTS.items():
        _put(element, tag, gpu.answer(field).value)
    pdi = gpu.answer("pdi").value
    _put(element, "pdi", f"0x{pdi:016x}" if isinstance(pdi, int) else pdi)
    pci = ET.SubElement(element, "pci")
    _put(pci, "pci_device_id", f"0x{gpu.pci.device_id:08X}")
    _put(pci, "pci_sub_system_id", f"0x{gpu.pci.subsystem_id:08X}")


def _put(parent: ET.Element, tag: str, value: object) -> None:
    ET.SubElement(parent, tag).text = "N/A" if value is None else str(value)
