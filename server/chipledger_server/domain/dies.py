"""What a chip signed of its model, held against what the driver and the PCI bus say of it.

The die stands in a factory certificate; project, SKU and chip SKU stand in the signed report and
are second-class: firmware fills them, and it is not public how. What is not in these tables is
not compared.

Sources: device ids by die, the supported-GPU list of NVIDIA's open kernel modules; board project
numbers of Hopper and RTX PRO 6000, signed reports of such boards and a public verifier policy.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from chipledger_evidence.gpu.facts import EvidenceFacts

DIES: Final[Mapping[str, frozenset[str]]] = {
    "23": frozenset({"GH100"}),
    "29": frozenset({"GB100", "GB102"}),
    "31": frozenset({"GB110", "GB112"}),
    "2b": frozenset({"GB202"}),
    "2c": frozenset({"GB203"}),
    "2d": frozenset({"GB206", "GB207"}),
    "2f": frozenset({"GB205"}),
}
"""First two hex digits of a PCI device id → dies whose boards have such ids."""

MODELS: Final[Mapping[tuple[str, str, str], str]] = {
    ("1010", "0200", "882"): "H100 PCIe",
    ("1010", "0210", "886"): "H100 NVL",
    ("1010", "0230", "894"): "H200 NVL",
    ("G520", "0200", "885"): "H100",
    ("G520", "0280", "895"): "H200",
    ("G153", "0210", "895"): "RTX PRO 6000 Blackwell",
    ("G153", "0212", "895"): "RTX PRO 6000 Blackwell",
}
"""Project, its SKU and chip SKU of a signed report → what the driver's name must contain."""

_OTHERS: Final = {"H100": ("PCIe", "NVL", "GH200"), "H200": ("NVL", "GH200")}
"""Words that tell another model of the same beginning."""


def contradictions(facts: EvidenceFacts, *, device: str | None, name: str | None) -> Sequence[str]:
    """Return in words where the driver's model is not the one that the chip signed.

    Args:
        facts: of evidence that is worth something.
        device: PCI device id ‖ vendor id, 8 hex digits, as the host reports it.
        name: product name, as the driver reports it.
    """
    found = []
    dies = DIES.get(device[:2]) if device else None
    if dies is not None and facts.die is not None and facts.die not in dies:
        found.append(f"die {facts.die} by certificate, PCI device {device} by the host")
    if facts.project and facts.project_sku and facts.chip_sku and name:
        model = MODELS.get((facts.project, facts.project_sku, facts.chip_sku))
        if model is not None and not _is(model, name):
            found.append(f"model {model} by the signed report, {name!r} by the driver")
    return found


def _is(model: str, name: str) -> bool:
    return model in name and not any(word in name for word in _OTHERS.get(model, ()))
