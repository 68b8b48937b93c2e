"""The scan child: one look at the machine, told line by line, in a process of its own.

Run as ``python -I -m chipledger_agent.scan.child``. Nothing here waits or retries: a call
that hangs is the parent's to end, and what was told until then stands.
"""

import argparse
import contextlib
import faulthandler
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from chipledger_agent.scan import nvml
from chipledger_agent.scan.chip import MAX_REASONS, ChipReader
from chipledger_agent.scan.library import preloaded
from chipledger_agent.scan.lines import (
    Began,
    ChipPart,
    ChipRead,
    Counted,
    Done,
    DriverView,
    ExcludedView,
    Failed,
    Line,
    Loaded,
    encode_line,
)
from chipledger_agent.scan.mounts import overlaid
from chipledger_agent.scan.pci import pci_view
from chipledger_agent.scan.proc import proc_view
from chipledger_agent.scan.reading import TOO_MANY, Fields, UnreadableError
from chipledger_agent.scan.source import NoLibraryError, OverrideLibrary, Source, SystemLibrary
from chipledger_evidence.inventory import (
    MAX_CHIPS,
    Chip,
    Driver,
    Excluded,
    Reasons,
    Status,
    Unread,
)

Emit = Callable[[Line], None]
_MAX_TEXT = 256
_STATUS = {9: Status.DRIVER_ABSENT, 12: Status.NO_NVML, 18: Status.DRIVER_MISMATCH}


def scan(source: Source, *, root: Path, environment: Mapping[str, str], emit: Emit) -> None:
    """Tell every view of this machine through `emit`, the ones that cannot hang first.

    Args:
        source: where NVML comes from.
        root: prefix of /sys, /proc and /etc.
        environment: what the environment says, for the record only.
        emit: takes each line as soon as it is known.
    """
    emit(_began(source, root=root, environment=environment))
    emit(pci_view(root))
    emit(proc_view(root))
    if _start(source, emit):
        emit(_driver_view())
        _scan_devices(emit)
        emit(_excluded_view())
    emit(Done())


def _began(source: Source, *, root: Path, environment: Mapping[str, str]) -> Began:
    return Began(
        provider=source.kind,
        preload=preloaded(environment, root),
        overlaid=overlaid(root),
        visible_devices=_visible(environment),
        hardware=_hardware(root),
    )


def _visible(environment: Mapping[str, str]) -> str | None:
    value = environment.get("NVIDIA_VISIBLE_DEVICES")
    return None if value is None else value[:_MAX_TEXT].encode("utf-8", "replace").decode()


def _hardware(root: Path) -> str | None:
    """Return DMI vendor and product; many platforms have none, which is no fault."""
    parts = []
    for name in ("sys_vendor", "product_name"):
        with contextlib.suppress(OSError):
            text = (root / "sys/class/dmi/id" / name).read_text(encoding="utf-8", errors="replace")
            parts.append(text.strip())
    joined = " ".join(part for part in parts if part)[:_MAX_TEXT]
    return joined or None


def _start(source: Source, emit: Emit) -> bool:
    """Load and initialise NVML; tell why when it cannot be used."""
    try:
        library = source.load()
    except NoLibraryError as error:
        emit(Loaded(unread=error.unread))
        emit(Failed(status=Status.NO_NVML, error=Unread(nvml=nvml.LIBRARY_NOT_FOUND)))
        return False
    emit(Loaded(library=library.facts, unread=library.unread))
    nvml.use_library(library.calls)
    try:
        nvml.initialise()
    except UnreadableError as error:
        emit(_failure(error))
        return False
    return True


def _failure(error: UnreadableError) -> Failed:
    return Failed(status=_STATUS.get(error.reason.nvml or 0, Status.NVML_ERROR), error=error.reason)


def _driver_view() -> DriverView:
    fields = Fields()
    fields.read("version", nvml.driver_version)
    fields.read("branch", nvml.driver_branch)
    fields.read("nvml_version", nvml.nvml_version)
    fields.read("cuda_version", nvml.cuda_version)

    def confidential() -> tuple[object, ...]:
        state = nvml.confidential_state()
        return state.feature, state.devtools

    fields.read_several(("confidential_computing", "confidential_devtools"), confidential)
    fields.read("confidential_multi_gpu", nvml.confidential_multi_gpu)
    fields.read("gpus_ready", nvml.gpus_ready)
    unread = {f"driver.{name}": reason for name, reason in fields.unread.items()}
    return DriverView(driver=msgspec.convert(fields.values, Driver), unread=unread)


def _scan_devices(emit: Emit) -> None:
    try:
        devices = nvml.device_count()
    except UnreadableError as error:
        emit(_failure(error))
        return
    emit(Counted(devices=devices))
    for index in range(min(devices, MAX_CHIPS)):
        _scan_chip(index, emit)


def _scan_chip(index: int, emit: Emit) -> None:
    """Tell one chip: its identity first, so that a later hang leaves it known."""
    try:
        handle = nvml.device_handle(index)
    except UnreadableError as error:
        emit(ChipRead(chip=Chip(index=index, lost=error.reason)))
        return
    reader = ChipReader(index, handle)
    emit(ChipPart(chip=reader.identity(), pending=reader.pending))
    chip, counters = reader.rest()
    emit(ChipRead(chip=chip, counters=counters))


def _excluded_view() -> ExcludedView:
    try:
        listed = nvml.excluded_count()
    except UnreadableError as error:
        return ExcludedView(unread={"excluded": error.reason})
    unread: Reasons = {"excluded": TOO_MANY} if listed > MAX_CHIPS else {}
    devices = tuple(_excluded(index, unread) for index in range(min(listed, MAX_CHIPS)))
    return ExcludedView(devices=devices, unread=dict(islice(unread.items(), MAX_REASONS)))


def _excluded(index: int, unread: Reasons) -> Excluded:
    """Return one hidden GPU; it is listed whatever of it can be read."""
    fields = Fields()
    try:
        device = nvml.excluded_device(index)
    except UnreadableError as error:
        unread[f"excluded.{index}"] = error.reason
        return Excluded()
    fields.read("bdf", device.bdf)
    fields.read("uuid", device.uuid)
    unread |= {f"excluded.{index}.{name}": reason for name, reason in fields.unread.items()}
    return Excluded(**fields.values)


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of `data` to `descriptor`."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def private_output() -> int:
    """Return a descriptor of its own for the lines, and point stdout at stderr.

    What a foreign library prints to stdout must not come between the lines.
    """
    lines = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return lines


def run(source: Source, *, root: Path, environment: Mapping[str, str]) -> None:
    """Scan and write the lines to what stdout was; then let go of the driver."""
    faulthandler.enable()  # a crash in the library says on stderr where it was
    output = private_output()

    def emit(line: Line) -> None:
        write_whole(output, encode_line(line))

    scan(source, root=root, environment=environment, emit=emit)
    with contextlib.suppress(UnreadableError):  # never initialised, or lost: the process ends
        nvml.shut_down()


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return `root`, `library` (a list) and `override` of the child's command line."""
    parser = argparse.ArgumentParser(prog="chipledger_agent.scan")
    parser.add_argument("--root", type=Path, default=Path("/"))
    parser.add_argument("--library", type=Path, action="append", default=[])
    parser.add_argument("--override", type=Path)
    return parser.parse_args(argv)


def source_of(options: argparse.Namespace) -> Source:
    """Return the source the command line names."""
    if options.override is not None:
        return OverrideLibrary(options.override)
    return SystemLibrary(tuple(options.library))


def main(argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run one scan as the arguments say."""
    options = arguments(argv)
    run(source_of(options), root=options.root, environment=environment)


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)  # noqa: TID251 - the outermost edge of the child process
