"""Distinct identifiers for many hosts of one profile, the same ones for the same seed.

A profile holds placeholders. Here each distinct placeholder becomes one identifier of its
kind, so that what was equal (the serial of two chips on one board) stays equal, and what was
different stays different.
"""

import copy
import hashlib
import uuid
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """Where identifiers come from.

    Attributes:
        host: makes everything of one host its own.
        rack: shared by hosts of one chassis: chassis serial and fabric cluster.
    """

    host: str
    rack: str

    def digest(self, kind: str, placeholder: str) -> bytes:
        """Return 32 bytes that belong to this seed, kind and placeholder alone."""
        scope = self.rack if kind in {"chassis", "cluster"} else self.host
        return hashlib.sha256(f"{kind}\0{scope}\0{placeholder}".encode()).digest()

    def uuid(self, placeholder: str, *, kind: str = "uuid") -> str:
        """Return lower-case 8-4-4-4-12 hex; no RFC version bits, as on real GPUs."""
        return str(uuid.UUID(bytes=self.digest(kind, placeholder)[:16]))

    def word64(self, placeholder: str) -> int:
        """Return a 64-bit id (PDI or fabric GUID: one space, for GB trays use one value)."""
        return int.from_bytes(self.digest("word64", placeholder)[:8], "big") | 1 << 63

    def serial(self, placeholder: str, *, kind: str = "serial") -> str:
        """Return 13 digits: the site prefix of the placeholder, week, year, sequence."""
        raw = self.digest(kind, placeholder)
        week = 1 + raw[0] % 52
        year = 23 + raw[1] % 3
        return f"{placeholder[:3]}{week:02d}{year}{int.from_bytes(raw[2:6], 'big') % 10**6:06d}"


def _is_text(node: object) -> bool:
    return isinstance(node, str) and bool(node)


def _reidentify_fields(node: dict[str, Any], seed: Seed) -> None:
    if _is_text(node.get("uuid")):
        prefix, _, rest = node["uuid"].partition("-")
        node["uuid"] = f"{prefix}-{seed.uuid(rest)}"
    if _is_text(node.get("serial")):
        node["serial"] = seed.serial(node["serial"])
    if "pdi" in node and isinstance(node["pdi"], int | str):
        node["pdi"] = seed.word64(f"{as_int(node['pdi']):016x}")
    platform = node.get("platform")
    if isinstance(platform, dict) and "ib_guid" in platform:
        if platform.get("chassis"):
            platform["chassis"] = seed.serial(platform["chassis"], kind="chassis")
        guid = int.from_bytes(bytes.fromhex(platform["ib_guid"])[:8], "big")
        platform["ib_guid"] = f"{seed.word64(f'{guid:016x}'):016x}" + "00" * 8
    fabric = node.get("fabric")
    if isinstance(fabric, dict) and fabric.get("cluster", "").strip("0-"):
        fabric["cluster"] = seed.uuid(fabric["cluster"], kind="cluster")
    for child in node.get("mig_devices", ()):
        _reidentify_fields(child, seed)


def reidentify(document: dict[str, Any], seed: Seed) -> dict[str, Any]:
    """Return a copy of a machine document with every identifier made from `seed`.

    All-zero cluster ids and empty chassis serials stay what they are: they are no identity.
    """
    document = copy.deepcopy(document)
    for node in (document.get("defaults", {}), *document["gpus"]):
        _reidentify_fields(node, seed)
    for entry in (*document.get("excluded", ()), *document.get("proc", ())):
        _reidentify_fields(entry, seed)
    return document


def as_int(value: int | str) -> int:
    """Return a number written as JSON integer or as hex text."""
    return value if isinstance(value, int) else int(value, 16)
