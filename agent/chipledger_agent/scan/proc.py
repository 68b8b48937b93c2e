"""The kernel module's own word: /proc/driver/nvidia, which a swapped library does not control."""

import re
from pathlib import Path

from chipledger_agent.scan.lines import ProcView
from chipledger_evidence.inventory import MAX_CHIPS, ProcGpu, Reasons, Unread, Why

_BDF = re.compile(r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$")
_VERSION = re.compile(r"\s(\d{3,}\.\d+(?:\.\d+)*)\s")
_MEMBERS = {
    "Model": "model",
    "GPU UUID": "uuid",
    "Video BIOS": "vbios",
    "Device Minor": "minor",
    "GPU Firmware": "firmware",
    "GPU Excluded": "excluded",
}
_MAX_TEXT = 256


def proc_view(root: Path) -> ProcView:
    """Return the module's version and what it says of each GPU under `root`."""
    base = root / "proc/driver/nvidia"
    unread: Reasons = {}
    version: str | None = None
    try:
        version = module_version((base / "version").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        unread["driver.kernel_module"] = Unread(why=Why.OS_ERROR)
    try:
        names = sorted(path.name for path in (base / "gpus").iterdir())
    except OSError:
        unread["proc"] = Unread(why=Why.OS_ERROR)
        names = []
    gpus = tuple(_gpu(base / "gpus" / name) for name in names if _BDF.match(name))
    return ProcView(module_version=version, gpus=gpus[:MAX_CHIPS], unread=unread)


def module_version(text: str) -> str | None:
    """Return the version in the text of /proc/driver/nvidia/version."""
    match = _VERSION.search(text.partition("\n")[0] + " ")
    return match.group(1) if match else None


def _gpu(folder: Path) -> ProcGpu:
    try:
        text = (folder / "information").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ProcGpu(bdf=folder.name)
    members = {}
    for line in text.splitlines():
        label, _, value = line.partition(":")
        if label in _MEMBERS:
            members[_MEMBERS[label]] = value.strip()[:_MAX_TEXT]
    return ProcGpu(bdf=folder.name, **members)
