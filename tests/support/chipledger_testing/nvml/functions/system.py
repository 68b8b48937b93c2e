"""System-wide functions and the lookup of devices."""

from chipledger_testing.nvml.border import memory, number, put
from chipledger_testing.nvml.functions.kinds import (
    Arguments,
    Function,
    Library,
    Versions,
    as_bytes,
    as_members,
    numbers,
    of_system,
    record,
    text,
    versioned,
)
from chipledger_testing.nvml.machine import Answer


def driver_branch(library: Library, arguments: Arguments) -> int:
    """nvmlSystemGetDriverBranch: a versioned struct *and* a length."""
    branch = Versions({1: ("80s", lambda answer: (as_bytes(answer),))})
    return versioned(of_system("driver_branch"), branch, at=0)(library, (arguments[0],))


def _members(*names: str) -> "MembersFill":
    return MembersFill(names)


class MembersFill:
    """Fills a struct of unsigned ints from the members of an object answer."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def __call__(self, answer: Answer) -> tuple[int | bytes, ...]:
        """Return the members in order, 0 where one is not described."""
        members = as_members(answer)
        return tuple(int(members.get(name, 0)) for name in self._names)


_CC_SETTINGS = Versions(
    {1: ("4I", _members("environment", "cc_feature", "dev_tools", "multi_gpu"))}
)


def unit_count(library: Library, arguments: Arguments) -> int:
    """nvmlUnitGetCount: no S-class units exist any more."""
    del library
    put(arguments[0], "I", 0)
    return 0


def process_name(library: Library, arguments: Arguments) -> int:
    """nvmlSystemGetProcessName: no process is known."""
    del library
    number(arguments[0])
    memory(arguments[1])
    return 6


FUNCTIONS: dict[str, Function] = {
    "nvmlSystemGetDriverVersion": text(of_system("driver_version"), at=0),
    "nvmlSystemGetNVMLVersion": text(of_system("nvml_version"), at=0),
    "nvmlSystemGetDriverBranch": driver_branch,
    "nvmlSystemGetCudaDriverVersion": numbers(of_system("cuda_version"), "i", at=0),
    "nvmlSystemGetCudaDriverVersion_v2": numbers(of_system("cuda_version"), "i", at=0),
    "nvmlSystemGetProcessName": process_name,
    "nvmlUnitGetCount": unit_count,
    "nvmlSystemGetConfComputeState": record(
        of_system("conf_compute"), "3I", _members("environment", "cc_feature", "dev_tools"), at=0
    ),
    "nvmlSystemGetConfComputeCapabilities": record(
        of_system("conf_compute_caps"), "2I", _members("cpu", "gpus"), at=0
    ),
    "nvmlSystemGetConfComputeGpusReadyState": numbers(of_system("gpus_ready"), "I", at=0),
    "nvmlSystemGetConfComputeSettings": versioned(of_system("conf_compute"), _CC_SETTINGS, at=0),
}
