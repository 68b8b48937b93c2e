"""The table of every NVML function the mock library exports."""

from chipledger_testing.nvml.functions import device, lookup, system
from chipledger_testing.nvml.functions.kinds import Function

TABLE: dict[str, Function] = {**system.FUNCTIONS, **lookup.FUNCTIONS, **device.FUNCTIONS}
