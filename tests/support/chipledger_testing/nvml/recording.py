"""Play back what a real library answered, at the same border where it was recorded.

A capture is what the agent's `capture` command writes: every call with its normalised inputs,
its return code and what it left in the caller's memory, and the PCI and /proc views of that
moment. The player needs no library and no GPU. A function that is not on the tape is missing;
a call whose inputs are not on the tape is Unknown (999).
"""

from pathlib import Path

import msgspec

from chipledger_agent.domain.claims import Scan
from chipledger_agent.scan.capture import Capture
from chipledger_agent.scan.child import scan
from chipledger_agent.scan.lines import Line
from chipledger_agent.scan.merge import Ending, merge
from chipledger_agent.scan.source import LoadedLibrary
from chipledger_agent.scan.tape import HANDLE_MARK, Arguments, CallKeys, Tape, outputs
from chipledger_testing.nvml.library import Export, installed
from chipledger_testing.nvml.machine import Machine
from chipledger_testing.nvml.pci import PciAddress, PciFunction, ProcGpu
from chipledger_testing.nvml.trees import write_trees

_UNKNOWN = 999
_POINTER_BYTES = 8


class TapePlayer:
    """A library that answers from a tape."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._keys = CallKeys()
        self._names = {key.partition("(")[0] for key in tape.calls}
        self._played: dict[str, int] = {}
        self._exports: dict[str, Export] = {}

    def __getattr__(self, name: str) -> Export:
        """Return the function `name`.

        Raises:
            AttributeError: it is not on the tape, or the recorded library lacked it.
        """
        if name.startswith("__") or name not in self._names:
            raise AttributeError(name)
        if name not in self._exports:
            self._exports[name] = Export(name, lambda arguments: self._play(name, arguments))
        return self._exports[name]

    def _play(self, name: str, arguments: Arguments) -> object:
        key = self._keys.key(name, arguments)
        answers = self._tape.calls.get(key)
        if not answers:
            return _UNKNOWN
        turn = self._played.get(key, 0)
        self._played[key] = turn + 1
        answer = answers[min(turn, len(answers) - 1)]
        if answer.text is not None:
            return answer.text.encode()
        for target, left in zip(outputs(arguments), answer.outputs, strict=True):
            if left is None:
                continue
            if left.startswith(HANDLE_MARK):
                target.write(self._keys.handle_value(left).to_bytes(_POINTER_BYTES, "little"))
            else:
                target.write(bytes.fromhex(left))
        return answer.code


class TapeSource:
    """Gives a library that plays a tape."""

    kind = "tape"

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def load(self) -> LoadedLibrary:
        """Return the player."""
        return LoadedLibrary(calls=TapePlayer(self._tape), unread={})


def read_capture(path: Path) -> Capture:
    """Return the capture in a file that `chipledger-agent capture` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Capture)


def play_capture(capture: Capture, root: Path) -> Scan:
    """Return what the shipped scan sees of the captured machine.

    Args:
        capture: the recording.
        root: an empty folder, in which its sysfs and /proc trees are written.
    """
    lines = []

    def emit(line: Line) -> None:
        lines.append(line)

    write_trees(_machine(capture), root)
    with installed(None):
        scan(TapeSource(capture.tape), root=root, environment={}, emit=emit)
    return merge(lines, Ending.FINISHED, provider="tape")


def _machine(capture: Capture) -> Machine:
    """Return a machine that has only the trees of the capture."""
    version = capture.kernel_module
    pci = tuple(
        PciFunction(
            address=PciAddress.parse(function.bdf),
            device_id=int(function.device, 16),
            subsystem_id=int(function.subsystem or "0", 16),
            class_code=int(function.class_code or "0", 16),
            revision=int(function.revision or "0", 16),
            driver=function.driver,
            physfn=PciAddress.parse(function.physical_function)
            if function.physical_function
            else None,
            numa_node=-1 if function.numa_node is None else function.numa_node,
        )
        for function in capture.pci
    )
    proc = tuple(
        ProcGpu(
            address=PciAddress.parse(entry.bdf),
            model=entry.model or "",
            uuid=entry.uuid or "",
            vbios=entry.vbios or "",
            minor=int(entry.minor or 0),
            firmware=entry.firmware or "",
            excluded=entry.excluded or "",
        )
        for entry in capture.proc
    )
    text = None if version is None else f"NVRM version: NVIDIA UNIX Kernel Module  {version}  x\n"
    return Machine(
        name="capture", system={}, gpus=(), pci=pci, proc=proc, proc_version=text, dmi={}
    )
