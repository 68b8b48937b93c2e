"""The evidence child: asks the driver for each chip's signature, in a process of its own.

Run as ``python -I -m chipledger_agent.scan.evidence --nonce HEX``. It looks at the state of
confidential computing itself, just before asking, and asks nothing unless a mode is on that
offers evidence: elsewhere the calls have no answer. One chip after the other, and none any
more after a call that failed: under confidential computing a failed call can end the mode for
every chip, so a second one is not worth it.
"""

import argparse
import contextlib
import faulthandler
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from chipledger_agent.scan import nvml
from chipledger_agent.scan.child import private_output, write_whole
from chipledger_agent.scan.evidence_lines import (
    Ended,
    EvidenceLine,
    Failed,
    Mode,
    NoLibrary,
    Signed,
    encode_line,
)
from chipledger_agent.scan.reading import UnreadableError
from chipledger_agent.scan.source import NoLibraryError, Source, SystemLibrary
from chipledger_evidence.inventory import MAX_CHIPS

T = TypeVar("T")
NONCE_BYTES = 32
_ON = 1
_MULTI_GPU_MODES = frozenset({1, 2})
"""Protected PCIe and NVLink encryption."""

Emit = Callable[[EvidenceLine], None]


def collect(source: Source, nonce: bytes, emit: Emit) -> None:
    """Tell what every chip signs over `nonce`, through `emit`, line by line."""
    try:
        library = source.load()
    except NoLibraryError:
        emit(NoLibrary())
        emit(Ended())
        return
    nvml.use_library(library.calls)
    try:
        _call("nvmlInitWithFlags", nvml.initialise)
        mode = _mode_is_on()
        emit(Mode(on=mode))
        if mode:
            devices = _call("nvmlDeviceGetCount", nvml.device_count)
            for index in range(min(devices, MAX_CHIPS)):
                _sign(index, nonce, emit)
    except _CallFailedError as failure:
        emit(failure.line)
    emit(Ended())


class _CallFailedError(Exception):
    def __init__(self, line: Failed) -> None:
        super().__init__(line.call)
        self.line = line


def _call(name: str, ask: Callable[[], T], *, index: int | None = None) -> T:
    try:
        return ask()
    except UnreadableError as error:
        raise _CallFailedError(Failed(call=name, error=error.reason, index=index)) from error


def _mode_is_on() -> bool:
    state = _call("nvmlSystemGetConfComputeState", nvml.confidential_state)
    if state.feature == _ON:
        return True
    try:
        return nvml.confidential_multi_gpu() in _MULTI_GPU_MODES
    except UnreadableError:  # drivers before 550 know no such setting, nor such modes
        return False


def _sign(index: int, nonce: bytes, emit: Emit) -> None:
    try:
        handle = nvml.device_handle(index)
    except UnreadableError:  # a lost chip: the scan says so, and the others still can sign
        return
    chain = _call(
        "nvmlDeviceGetConfComputeGpuCertificate",
        lambda: nvml.attestation_chain(handle),
        index=index,
    )
    report = _call(
        "nvmlDeviceGetConfComputeGpuAttestationReport",
        lambda: nvml.attestation_report(handle, nonce),
        index=index,
    )
    emit(Signed(index=index, chain=chain, report=report))


def run(source: Source, nonce: bytes) -> None:
    """Collect and write the lines to what stdout was; then let go of the driver."""
    faulthandler.enable()
    output = private_output()
    collect(source, nonce, lambda line: write_whole(output, encode_line(line)))
    with contextlib.suppress(UnreadableError):  # never initialised, or lost: the process ends
        nvml.shut_down()


def nonce_of(text: str) -> bytes:
    """Return the nonce written in hex.

    Raises:
        ValueError: it is not 32 bytes.
    """
    nonce = bytes.fromhex(text)
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"{len(nonce)} bytes are no nonce")
    return nonce


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return `library` (a list) and `nonce` (bytes) of the child's command line."""
    parser = argparse.ArgumentParser(prog="chipledger_agent.scan.evidence")
    parser.add_argument("--library", type=Path, action="append", default=[])
    parser.add_argument("--nonce", type=nonce_of, required=True)
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    """Run as the arguments say."""
    options = arguments(argv)
    run(SystemLibrary(tuple(options.library)), options.nonce)


if __name__ == "__main__":
    main(sys.argv[1:])
