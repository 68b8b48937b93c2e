"""Record every NVML answer of this machine into one scrubbed document.

The document replays in the tests of this project, so that what real machines answer is not
forgotten. It holds no identity: serials, UUIDs, PDIs, GUIDs, chassis and host names are
placeholders (:mod:`chipledger_agent.scan.scrub`). Device certificates, process lists and
vGPU data are not asked for at all.

Run as ``python -I -m chipledger_agent.scan.capture``; see :func:`capture_command`.
"""

import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from chipledger_agent.domain.claims import Scan
from chipledger_agent.scan import nvml
from chipledger_agent.scan.child import arguments, private_output, scan, source_of, write_whole
from chipledger_agent.scan.command import scan_command
from chipledger_agent.scan.library import DEFAULT_LIBRARIES
from chipledger_agent.scan.lines import Line
from chipledger_agent.scan.merge import Ending, merge
from chipledger_agent.scan.process import MAX_OUTPUT_BYTES, Spawn, spawn
from chipledger_agent.scan.reading import UnreadableError
from chipledger_agent.scan.scrub import identities, scrub_tape
from chipledger_agent.scan.source import LoadedLibrary, NoLibraryError, Source
from chipledger_agent.scan.tape import Recorder, Tape
from chipledger_evidence.inventory import Inventory, PciFunction, ProcGpu

FORMAT = "chipledger-capture-1"
DEADLINE_S = 300
CAPTURE_MODULE = "chipledger_agent.scan.capture"
NOTHING_HEARD = 3
"""Exit status of a child that got no answer; the last line of its stderr says why."""
_STEP_MS = 100
_STARTS = "nvmlInit"


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded machine, scrubbed.

    Attributes:
        format: always :data:`FORMAT`.
        tape: every call the scan made, and every plain getter of the binding besides.
        pci: the PCI view at that time.
        proc: the kernel module's view.
        kernel_module: version of the kernel module.
        hardware: DMI vendor and product.
    """

    format: str
    tape: Tape
    pci: tuple[PciFunction, ...]
    proc: tuple[ProcGpu, ...]
    kernel_module: str | None
    hardware: str | None


class RecordingSource:
    """Another source, with a recorder around its library."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.recorder: Recorder | None = None
        self.missing = ""

    @property
    def kind(self) -> str:
        """The kind of the source that is recorded."""
        return self._source.kind

    def load(self) -> LoadedLibrary:
        """Load the library and begin to record it, or remember why there is none."""
        try:
            library = self._source.load()
        except NoLibraryError as error:
            self.missing = _missing(error)
            raise
        self.recorder = Recorder(library.calls)
        return LoadedLibrary(calls=self.recorder, facts=library.facts, unread=library.unread)


class CaptureError(Exception):
    """No capture could be taken; `note` is what the child wrote to stderr."""

    def __init__(self, reason: str, note: str = "") -> None:
        super().__init__(reason)
        self.note = note


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCounts:
    """How many different calls a capture holds, and how many were last answered by an error."""

    total: int
    failed: int


def count_calls(document: bytes) -> CallCounts:
    """Return the counts of a capture's JSON document."""
    calls = msgspec.json.decode(document, type=Capture).tape.calls.values()
    return CallCounts(total=len(calls), failed=sum(answers[-1].code != 0 for answers in calls))


def capture(source: Source, *, root: Path, names: Sequence[str]) -> Capture:
    """Return a scrubbed recording of this machine.

    Args:
        source: where NVML comes from.
        root: prefix of /sys, /proc and /etc.
        names: words that must not remain in it, such as the host name.

    Raises:
        CaptureError: there is no NVML library, or it could not be initialised.
    """
    recording = RecordingSource(source)
    seen = _scan(recording, root)
    if recording.recorder is None:
        raise CaptureError(recording.missing)
    if not _started(recording.recorder.tape()):
        raise CaptureError(_refusal(seen.inventory))
    probe(seen.inventory.device_count or 0)
    tape = recording.recorder.tape()
    placeholders = identities(seen.inventory, names)
    whole = Capture(
        format=FORMAT,
        tape=scrub_tape(tape, placeholders),
        pci=seen.inventory.pci,
        proc=seen.inventory.proc,
        kernel_module=seen.inventory.driver.kernel_module,
        hardware=seen.inventory.hardware,
    )
    text = placeholders.in_bytes(msgspec.json.encode(whole))
    return msgspec.json.decode(text, type=Capture)


def _missing(error: NoLibraryError) -> str:
    if error.__cause__ is not None:
        return f"no NVML library: {error.__cause__}"
    if error.unread:
        return "no NVML library that root alone may change: one is there and was passed over"
    return "no NVML library at any of the places where it may lie"


def _started(tape: Tape) -> bool:
    return any(
        name.startswith(_STARTS) and answers[-1].code == 0 for name, answers in tape.calls.items()
    )


def _refusal(inventory: Inventory) -> str:
    code = inventory.error.nvml if inventory.error is not None else None
    return f"NVML could not be initialised: {inventory.status}, NVML error {code}"


def _scan(source: Source, root: Path) -> Scan:
    lines = []

    def emit(line: Line) -> None:
        lines.append(line)

    scan(source, root=root, environment={}, emit=emit)
    return merge(lines, Ending.FINISHED, provider=source.kind)


def probe(devices: int) -> None:
    """Call every plain getter of the binding once for the system and once for each device.

    What they answer is on the recorder's tape; here it does not matter.
    """
    for name in nvml.plain_getters(of_device=False):
        nvml.probe(name)
    for index in range(devices):
        try:
            handle = nvml.device_handle(index)
        except UnreadableError:
            continue
        for name in nvml.plain_getters(of_device=True):
            nvml.probe(name, handle)
        nvml.probe_sram_entries(handle)


def capture_command(
    *,
    root: Path = Path("/"),
    libraries: Sequence[Path] = DEFAULT_LIBRARIES,
    override: Path | None = None,
) -> tuple[str, ...]:
    """Return the command that writes one capture to its stdout; arguments as `scan_command`."""
    command = scan_command(root=root, libraries=libraries, override=override)
    return (*command[:3], CAPTURE_MODULE, *command[4:])


def take_capture(
    *,
    monotonic_ms: Callable[[], int],
    command: Sequence[str] | None = None,
    deadline_s: int = DEADLINE_S,
    spawn: Spawn = spawn,
) -> bytes:
    """Return the JSON document of a capture taken by a child process.

    Raises:
        CaptureError: the child could not be run, failed, or missed its deadline.
    """
    try:
        child = spawn(capture_command() if command is None else command)
    except OSError as error:
        raise CaptureError("the capture could not be started", str(error)) from error
    until_ms = monotonic_ms() + deadline_s * 1000
    told = bytearray()
    while (data := child.read(_STEP_MS)) is not None:
        told += data
        if monotonic_ms() >= until_ms or len(told) > MAX_OUTPUT_BYTES:
            child.kill()
            raise CaptureError("the capture missed its deadline or its bounds", child.note())
    code = child.wait(_STEP_MS * 10)
    note = child.note()
    child.close()
    if code == NOTHING_HEARD and note.strip():
        raise CaptureError(note.strip().splitlines()[-1])
    if code != 0:
        raise CaptureError(f"the capture ended with status {code}", note)
    return bytes(told)


def main(argv: Sequence[str], *, names: Sequence[str]) -> None:
    """Write one capture to stdout, as the arguments say, or say why there is none and exit."""
    options = arguments(argv)
    output = private_output()
    try:
        document = capture(source_of(options), root=options.root, names=names)
    except CaptureError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(NOTHING_HEARD)
    write_whole(output, msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:], names=(platform.node(), platform.node().partition(".")[0]))
