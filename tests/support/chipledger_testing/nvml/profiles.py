"""Profiles of real machines, and any number of distinct hosts of each.

A profile is a machine document under `profiles/` with placeholder identifiers; `estimated`
names the fields whose real value nobody published. :func:`host_of` gives every host its own
UUIDs, PDIs and serials, the same for the same seed.
"""

from pathlib import Path
from typing import Any

import msgspec

from chipledger_testing.nvml.identifiers import Seed, reidentify
from chipledger_testing.nvml.machine import Machine, parse_machine

PROFILES = Path(__file__).resolve().parents[1] / "profiles"


def profile_names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    return tuple(sorted(path.stem for path in PROFILES.glob("*.json")))


def profile_document(name: str) -> dict[str, Any]:
    """Return the machine document of profile `name`."""
    document: dict[str, Any] = msgspec.json.decode((PROFILES / f"{name}.json").read_bytes())
    return document


def profile(name: str) -> Machine:
    """Return profile `name` as it stands, with its placeholder identifiers."""
    return parse_machine(profile_document(name))


def host_of(name: str, *, seed: str, rack: str | None = None) -> Machine:
    """Return one distinct host of profile `name`.

    Args:
        name: a profile name, see :func:`profile_names`.
        seed: makes the host; equal seeds give equal hosts.
        rack: hosts with one rack share chassis serial and fabric cluster; own rack if None.
    """
    document = reidentify(profile_document(name), Seed(host=seed, rack=rack or seed))
    document["name"] = f"{name}-{seed}"
    return parse_machine(document)
