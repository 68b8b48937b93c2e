"""The kernel module's own word: /proc/driver/nvidia, which a swapped library does not control."""

import re
from itertools import islice
from pathlib import Path

from chipledger_agent.scan.lines import ProcView
from chipledger_agent.scan.reading import TOO_MANY, not_text
from chipledger_evidence.inventory import MAX_CHIPS, ProcGpu, Reasons, Unread, Why

_BDF = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_MAX_REASONS = 64
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
        text = (base / "version").read_text(encoding="utf-8", errors="replace")
        version = module_version(text)
        if version is None:
            head = text.partition("\n")[0]
            unread["driver.kernel_module"] = not_text(head.encode()).reason
    except OSError:
        unread["driver.kernel_module"] = Unread(why=Why.OS_ERROR)
    try:
        names = sorted(path.name for path in (base / "gpus").iterdir() if _BDF.fullmatch(path.name))
    except OSError:
        unread["proc"] = Unread(why=Why.OS_ERROR)
        names = []
    if len(names) > MAX_CHIPS:
        unread["proc"] = TOO_MANY
    gpus = []
    for index, name in enumerate(names[:MAX_CHIPS]):
        try:
            gpus.append(_gpu(base / "gpus" / name))
        except OSError:
            gpus.append(ProcGpu(bdf=name))
            unread[f"proc.{index}"] = Unread(why=Why.OS_ERROR)
    kept = dict(islice(unread.items(), _MAX_REASONS))
    return ProcView(module_version=version, gpus=tuple(gpus), unread=kept)


def module_version(text: str) -> str | None:
    """Return the version in the text of /proc/driver/nvidia/version."""
    match = _VERSION.search(text.partition("\n")[0] + " ")
    return match.group(1) if match else None


def _gpu(folder: Path) -> ProcGpu:
    text = (folder / "information").read_text(encoding="utf-8", errors="replace")
    members = {}
    for line in text.splitlines():
        label, _, value = line.partition(":")
        if label in _MEMBERS:
            members[_MEMBERS[label]] = value.strip()[:_MAX_TEXT]
    return ProcGpu(bdf=folder.name, **members)
