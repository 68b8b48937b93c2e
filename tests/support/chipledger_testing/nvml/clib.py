"""Builds the tiny C library: a real shared object that hangs, crashes or lacks symbols."""

import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "clib" / "nvml.c"


def build_library(folder: Path, *definitions: str) -> Path:
    """Return a freshly built library in `folder`.

    Args:
        folder: where to put it.
        definitions: what goes wrong, see the top of the C source, e.g. ``HANG_AT=UUID``.
    """
    target = folder / "libnvidia-ml.so.1"
    flags = [f"-D{definition}" for definition in definitions]
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", *flags,
         "-o", str(target), str(SOURCE)],
        check=True,
    )  # fmt: skip
    return target
