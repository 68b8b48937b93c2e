"""Machines made from real captures, and profiles held against them."""

from pathlib import Path

import pytest

from chipledger_testing.nvml import Machine, machine_from_capture, profile

PAIRS = {
    "qx-h100.xml": "hgx-h100",
    "qx-b200.xml": "hgx-b200",
    "qx-gb200.xml": "gb200-tray",
    "qx-l40s.xml": "l40s",
}
NOT_PRINTED = {
    "remapped_rows_v2",  # nvidia-smi prints the inactive rows of the newest drivers only
    "mig_max_devices",
    "bbx_flush",
    "platform",  # compared below, without what the captures print as not applicable
}

pytestmark = pytest.mark.shared


@pytest.mark.parametrize(
    ("file", "chips", "boards"),
    [("qx-h100.xml", 8, 8), ("qx-b200.xml", 8, 8), ("qx-gb200.xml", 4, 2), ("qx-l40s.xml", 1, 1)],
)
def test_captures_give_21_chips(shared: Path, file: str, chips: int, boards: int) -> None:
    """Every captured GPU is a chip; two chips of a GB200 board share its serial."""
    machine = machine_from_capture(shared / "captures" / file)

    assert len(machine.gpus) == chips
    assert len({gpu.answer("serial").value for gpu in machine.gpus}) == boards
    assert len({gpu.answer("uuid").value for gpu in machine.gpus}) == chips


def facts(machine: Machine) -> list[dict[str, object]]:
    """Return what both sources may know of each GPU."""
    estimated = {name.partition(".")[0] for name in machine.estimated}
    return [
        {
            "pci": (gpu.pci.address, gpu.pci.device_id, gpu.pci.subsystem_id, gpu.pci.class_code),
            **{
                name: answer.value
                for name, answer in gpu.fields.items()
                if name not in estimated | NOT_PRINTED
            },
        }
        for gpu in machine.gpus
    ]


@pytest.mark.parametrize("file", sorted(PAIRS))
def test_profiles_say_what_the_captures_say(shared: Path, file: str) -> None:
    """A profile differs from the capture of its machine in nothing that nvidia-smi prints."""
    captured = facts(machine_from_capture(shared / "captures" / file))
    described = facts(profile(PAIRS[file]))

    estimated = {name.partition(".")[0] for name in profile(PAIRS[file]).estimated}
    differences = [
        {name: (ours.get(name), theirs.get(name)) for name in ours.keys() | theirs.keys()
         if ours.get(name) != theirs.get(name) and name not in estimated}
        for ours, theirs in zip(described, captured, strict=True)
    ]  # fmt: skip

    assert differences == [{}] * len(captured)


def test_the_gb200_tray_keeps_its_place_in_the_rack(shared: Path) -> None:
    """Chassis, slot, tray and module of each chip come out of the capture."""
    machine = machine_from_capture(shared / "captures" / "qx-gb200.xml")

    places = [gpu.answer("platform").value for gpu in machine.gpus]

    assert [isinstance(p, dict) and p["module"] for p in places] == [2, 1, 4, 3]
    assert {isinstance(p, dict) and (p["chassis"], p["slot"], p["tray"]) for p in places} == {
        ("1820000000001", 14, 4)
    }
