"""Simulated GPU hosts: NVML at the ctypes border, sysfs and /proc trees, profiles, tapes.

Nothing here is shipped. The usual way in::

    from chipledger_testing.nvml import host_of, installed, MockLibrary, write_trees

    machine = host_of("hgx-h100", seed="host-1")
    with installed(MockLibrary(machine)):
        ...  # pynvml now answers for that host
"""

from chipledger_testing.nvml.captures import machine_from_capture
from chipledger_testing.nvml.library import MockLibrary, installed
from chipledger_testing.nvml.machine import (
    Answer,
    Machine,
    junk,
    parse_machine,
    read_machine,
    refuse,
    write_machine,
)
from chipledger_testing.nvml.profiles import host_of, profile, profile_names
from chipledger_testing.nvml.trees import write_trees

__all__ = [
    "Answer",
    "Machine",
    "MockLibrary",
    "host_of",
    "installed",
    "junk",
    "machine_from_capture",
    "parse_machine",
    "profile",
    "profile_names",
    "read_machine",
    "refuse",
    "write_machine",
    "write_trees",
]
