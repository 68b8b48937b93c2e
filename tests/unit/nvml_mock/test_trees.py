"""The sysfs and /proc trees are laid out as the kernel lays them out."""

from dataclasses import replace
from pathlib import Path

from chipledger_testing.nvml import profile, write_trees
from chipledger_testing.nvml.pci import PciAddress, PciFunction

DEVICES = "sys/bus/pci/devices"


def test_gpus_and_switches_are_in_sysfs(tmp_path: Path) -> None:
    """Every function has ids, class and driver where the kernel puts them."""
    root = write_trees(profile("hgx-h100"), tmp_path)

    found = {
        path.name: ((path / "class").read_text().strip(), (path / "driver").resolve().name)
        for path in (root / DEVICES).iterdir()
    }

    assert found["0000:53:00.0"] == ("0x030200", "nvidia")
    assert found["0000:03:00.0"] == ("0x068000", "nvidia-nvswitch")
    assert len(found) == 12


def test_domains_beyond_zero_are_written_as_sysfs_writes_them(tmp_path: Path) -> None:
    """A GB300 tray shows its four PCI domains in lower-case hex."""
    root = write_trees(profile("gb300-tray"), tmp_path)

    names = sorted(path.name for path in (root / DEVICES).iterdir())

    assert names == ["0008:06:00.0", "0009:06:00.0", "0018:06:00.0", "0019:06:00.0"]


def test_virtual_functions_link_to_their_physical_one(tmp_path: Path) -> None:
    """A virtual function has `physfn`, its card has `virtfn0` and a count."""
    machine = profile("l40s")
    card = machine.pci[0]
    virtual = PciFunction(
        address=PciAddress(0, 0x30, 0, 4),
        device_id=card.device_id,
        subsystem_id=card.subsystem_id,
        physfn=card.address,
    )

    root = write_trees(replace(machine, pci=(card, virtual)), tmp_path)

    assert (root / DEVICES / "0000:30:00.4" / "physfn").resolve().name == "0000:30:00.0"
    assert (root / DEVICES / "0000:30:00.0" / "sriov_numvfs").read_text() == "1\n"


def test_an_unbound_function_has_no_driver_link(tmp_path: Path) -> None:
    """No driver, no link."""
    machine = profile("t4")

    root = write_trees(replace(machine, pci=(replace(machine.pci[0], driver=None),)), tmp_path)

    assert not (root / DEVICES / "0000:00:1e.0" / "driver").exists()


def test_unprivileged_readers_see_64_bytes_of_configuration(tmp_path: Path) -> None:
    """Only root sees the extended space in which the device serial number stands."""
    machine = profile("t4")

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    short = write_trees(machine, tmp_path / "a") / DEVICES / "0000:00:1e.0" / "config"
    whole = write_trees(machine, tmp_path / "b", privileged=True)
    long = whole / DEVICES / "0000:00:1e.0" / "config"

    assert (len(short.read_bytes()), len(long.read_bytes())) == (64, 4096)


def test_the_kernel_module_speaks_for_itself(tmp_path: Path) -> None:
    """/proc shows the module version, and each GPU with a lower-case VBIOS version."""
    root = write_trees(profile("gb200-tray"), tmp_path)
    base = root / "proc/driver/nvidia"

    text = (base / "gpus/0000:29:00.0/information").read_text()

    assert "aarch64  580.173.02  " in (base / "version").read_text()
    assert "Video BIOS: \t 97.00.b9.00.69\n" in text
    assert "GPU UUID: \t GPU-00000000-0000-0000-0000-000000000000\n" in text


def test_without_the_module_there_is_no_tree(tmp_path: Path) -> None:
    """A host whose driver is not loaded has no /proc/driver/nvidia."""
    root = write_trees(replace(profile("t4"), proc_version=None), tmp_path)

    assert not (root / "proc/driver/nvidia").exists()
