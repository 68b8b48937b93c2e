"""A stand-in for NVIDIA's `nvattest`: a script that answers with devices of our own PKI."""

import argparse
import shlex
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from chipledger_testing.gpu_pki import GpuMaker, Shape

_SUPPORT = Path(__file__).resolve().parents[1]
_ARCHITECTURE = {Shape.BLACKWELL: "BLACKWELL", Shape.SWITCH: "LS10"}
_HOURS = 3600


class Fault(StrEnum):
    """How the program goes wrong."""

    NONE = "none"
    HANGS = "hangs"
    FAILS = "fails"  # exit status 1 and words on standard error
    REFUSES = "refuses"  # exit status 0 and another result code
    BABBLES = "babbles"  # not JSON
    FLOODS = "floods"  # more than anybody reads
    OTHER_NONCE = "other-nonce"
    NOT_BASE64 = "not-base64"
    DEEP = "deep"  # nested deeper than any parser follows
    EMPTY_REPORT = "empty-report"


def write_nvattest(
    folder: Path,
    *,
    gpus: Sequence[int] = (),
    switches: Sequence[int] = (),
    shape: Shape = Shape.BLACKWELL,
    fault: Fault = Fault.NONE,
) -> Path:
    """Write the program into `folder`; return its path.

    Args:
        folder: where.
        gpus: numbers of the chips it finds.
        switches: numbers of the switches it finds, each seeing all of `gpus`.
        shape: which kind of device the chips are; only Blackwell signs for this program.
        fault: how it goes wrong.
    """
    path = folder / "nvattest"
    chips, seeing = (",".join(map(str, numbers)) for numbers in (gpus, switches))
    arguments = [str(fault), chips, seeing, str(shape)]
    code = (
        f"import sys; sys.path.insert(0, {str(_SUPPORT)!r});"
        " from chipledger_testing.nvattest import main;"
        f" sys.exit(main({arguments!r}, sys.argv[1:]))"
    )  # by way of a shell: a path with a space or a long one fits no first line
    words = shlex.join([sys.executable, "-I", "-c", code])
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def main(made: Sequence[str], argv: Sequence[str]) -> int:
    """Answer as the command line asks; understands what the evidence service says, no more."""
    parser = argparse.ArgumentParser(prog="nvattest")
    parser.add_argument("command", choices=["collect-evidence"])
    parser.add_argument("--device", choices=["gpu", "nvswitch"], default="gpu")
    parser.add_argument("--gpu-evidence-source", choices=["nvml", "corelib"], default="nvml")
    parser.add_argument("--gpu-architecture", choices=["blackwell"])
    parser.add_argument("--nonce", type=bytes.fromhex, required=True)
    parser.add_argument("--format", choices=["json"], required=True)
    options = parser.parse_args(argv)
    fault = Fault(made[0])
    gpus = [GpuMaker(number, Shape(made[3])) for number in _numbers(made[1])]
    seen = tuple(gpu.pdi for gpu in gpus)
    switches = [GpuMaker(number, Shape.SWITCH, sees=seen) for number in _numbers(made[2])]
    if options.device == "gpu" and options.gpu_evidence_source != "corelib":
        return 1
    if options.device == "gpu" and gpus and gpus[0].shape is not Shape.BLACKWELL:
        return 1
    return _say(gpus if options.device == "gpu" else switches, options.nonce, fault)


def _say(devices: Sequence[GpuMaker], nonce: bytes, fault: Fault) -> int:
    if fault is Fault.HANGS:
        import time  # noqa: PLC0415 - nothing else waits

        time.sleep(_HOURS)
    if fault is Fault.FAILS:
        sys.stderr.write("no permission to open /dev/nvidia0\n")
        return 1
    if fault is Fault.BABBLES:
        sys.stdout.write("collecting evidence, please wait")
        return 0
    if fault is Fault.DEEP:
        sys.stdout.write("[" * 100_000)
        return 0
    if fault is Fault.FLOODS:
        for _ in range(100):
            sys.stdout.write("x" * 100_000)
        return 0
    evidences = [_entry(device, nonce, fault) for device in devices]
    code = 4 if fault is Fault.REFUSES else 0
    said = {"evidences": evidences, "result_code": code, "result_message": "Ok"}
    sys.stdout.write(msgspec.json.encode(said).decode())
    return 0


def _entry(device: GpuMaker, nonce: bytes, fault: Fault) -> Mapping[str, str]:
    report, chain = device.evidence(nonce)
    stated = bytes(32) if fault is Fault.OTHER_NONCE else nonce
    text = b64encode(b"" if fault is Fault.EMPTY_REPORT else report).decode()
    return {
        "arch": _ARCHITECTURE[device.shape],
        "certificate": b64encode(chain).decode(),
        "driver_version": device.driver,
        "evidence": "?" + text if fault is Fault.NOT_BASE64 else text,
        "nonce": stated.hex(),
        "version": "1.0",
    }


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]
