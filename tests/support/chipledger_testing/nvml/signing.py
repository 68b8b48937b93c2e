"""Chips of a simulated host that sign: NVML's confidential-computing calls, from our own PKI.

A chip whose field `cc_device` names a :class:`GpuMaker` answers the certificate and the report
calls as that device would, over the very nonce it is asked with::

    machine = with_signing_chips(host_of("hgx-h100", seed="h"), first=1)
"""

from collections.abc import Mapping

from chipledger_testing.gpu_pki import GpuMaker, Shape
from chipledger_testing.nvml.machine import Machine

CC_ON = 1
PROTECTED_PCIE = 1
_PRODUCTION = 2


def with_signing_chips(
    machine: Machine, *, first: int = 0, shape: Shape = Shape.HOPPER, multi_gpu: int = 0
) -> Machine:
    """Return `machine` under confidential computing, its chips signing as devices of our PKI.

    Args:
        machine: the host.
        first: number of its first device; equal numbers are the same chips.
        shape: which kind of device.
        multi_gpu: 1 for protected PCIe, 2 for NVLink encryption; CC itself is off then.
    """
    for index in range(len(machine.gpus)):
        maker = GpuMaker(first + index, shape)
        machine = machine.with_gpu(
            index, pdi=maker.pdi, cc_device={"number": maker.number, "shape": str(maker.shape)}
        )
    return machine.with_system(
        conf_compute={
            "environment": _PRODUCTION,
            "cc_feature": 0 if multi_gpu else CC_ON,
            "dev_tools": 0,
            "multi_gpu": multi_gpu,
        }
    )


def maker_of(members: Mapping[str, int | str]) -> GpuMaker:
    """Return the device that a `cc_device` field names."""
    return GpuMaker(int(members["number"]), Shape(str(members["shape"])))
