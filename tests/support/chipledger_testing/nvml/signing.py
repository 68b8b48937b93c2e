"""Chips of a simulated host that sign: NVML's confidential-computing calls, from our own PKI.

A chip whose field `cc_device` names a :class:`GpuMaker` answers the certificate and the report
calls as that device would, over the very nonce it is asked with::

    machine = with_signing_chips(host_of("hgx-h100", seed="h"), first=1)
"""

import re
from collections.abc import Mapping, Sequence

from chipledger_testing.gpu_pki import GpuMaker, Shape
from chipledger_testing.nvml.machine import Machine

CC_ON = 1
PROTECTED_PCIE = 1
_PRODUCTION = 2
_PART = re.compile(r"...-.(?P<project>[A-Z0-9]{4})-(?P<sku>[0-9]{4})-...")
_CHIP_SKUS = {("G520", "0280"): "895"}


def with_signing_chips(
    machine: Machine,
    *,
    first: int = 0,
    shape: Shape = Shape.HOPPER,
    multi_gpu: int = 0,
    switches: Sequence[int] = (),
) -> Machine:
    """Return `machine` under confidential computing, its chips signing as devices of our PKI.

    Args:
        machine: the host.
        first: number of its first device; equal numbers are the same chips.
        shape: which kind of device.
        multi_gpu: 1 for protected PCIe, 2 for NVLink encryption; CC itself is off then.
        switches: numbers of the switches that each of its devices names.
    """
    sees = ",".join(GpuMaker(number, Shape.SWITCH).pdi for number in switches)
    driver = machine.system["driver_version"].value
    for index, gpu in enumerate(machine.gpus):
        members: dict[str, int | str] = {
            "number": first + index,
            "shape": str(shape),
            "sees": sees,
            "driver": str(driver),
            **_model(str(gpu.answer("board_part_number").value)),
        }
        machine = machine.with_gpu(index, pdi=maker_of(members).pdi, cc_device=members)
    return machine.with_system(
        conf_compute={
            "environment": _PRODUCTION,
            "cc_feature": 0 if multi_gpu else CC_ON,
            "dev_tools": 0,
            "multi_gpu": multi_gpu,
        }
    )


def maker_of(members: Mapping[str, int | str]) -> GpuMaker:
    """Return the device that a `cc_device` field names.

    Its report states the `driver`, and the model by `project`, `sku` and `chip_sku`, where the
    field has them.
    """
    stated = ((17, "project", 5), (18, "sku", 5), (15, "chip_sku", 9))
    return GpuMaker(
        int(members["number"]),
        Shape(str(members["shape"])),
        sees=tuple(pdi for pdi in str(members.get("sees", "")).split(",") if pdi),
        driver=str(members.get("driver", GpuMaker.driver)),
        fields=tuple(
            (kind, str(members[name]).encode().ljust(size, b"\0"))
            for kind, name, size in stated
            if name in members
        ),
    )


def _model(part: str) -> dict[str, int | str]:
    """Return project and SKU that stand in a board's part number, as its firmware states them."""
    found = _PART.fullmatch(part)
    if found is None:
        return {}
    model: dict[str, int | str] = dict(found.groupdict())
    chip = _CHIP_SKUS.get((found["project"], found["sku"]))
    return model if chip is None else {**model, "chip_sku": chip}
