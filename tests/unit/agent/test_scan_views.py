"""The views that need no NVML: sysfs, the kernel module, the library file."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from chipledger_agent.scan.command import scan_command
from chipledger_agent.scan.library import choose, describe, preloaded
from chipledger_agent.scan.mounts import overlaid
from chipledger_agent.scan.pci import pci_view
from chipledger_agent.scan.proc import module_version, proc_view
from chipledger_evidence.inventory import PciKind, Unread, Why
from chipledger_testing.nvml import Machine, host_of, profile, write_trees
from chipledger_testing.nvml.pci import PciAddress

DSN = 0x9F210F69A42DB048


def with_dsn(machine: Machine, dsn: int) -> Machine:
    """Return the machine with a device serial number on its first PCI function."""
    return replace(machine, pci=(replace(machine.pci[0], dsn=dsn), *machine.pci[1:]))


def test_a_pci_function_has_the_facts_of_its_files(tmp_path: Path) -> None:
    """Ids, class, revision, driver and NUMA node are written as NVML writes its ids."""
    function = pci_view(write_trees(profile("l40s"), tmp_path)).functions[0]

    assert (function.bdf, function.kind) == ("0000:30:00.0", PciKind.GPU)
    assert (function.device, function.subsystem) == ("26b910de", "185110de")
    assert (function.class_code, function.revision) == ("030200", "a1")
    assert (function.driver, function.numa_node) == ("nvidia", 0)
    assert function.unread == {}


def test_root_reads_the_device_serial_number(tmp_path: Path) -> None:
    """From the extended configuration space the chip has a name even on vfio-pci."""
    root = write_trees(with_dsn(profile("l40s"), DSN), tmp_path, privileged=True)

    assert pci_view(root).functions[0].dsn == "9f210f69a42db048"


def test_an_unprivileged_reader_sees_no_device_serial_number(tmp_path: Path) -> None:
    """64 bytes of configuration space hold none; that is no fault."""
    function = pci_view(write_trees(with_dsn(profile("l40s"), DSN), tmp_path)).functions[0]

    assert (function.dsn, function.unread) == (None, {})


def test_a_serial_number_of_zeros_is_none(tmp_path: Path) -> None:
    """Only the vendor's own number under zeros names nothing."""
    root = write_trees(with_dsn(profile("l40s"), 0x2DB048), tmp_path, privileged=True)

    assert pci_view(root).functions[0].dsn is None


def test_large_domains_are_kept(tmp_path: Path) -> None:
    """A domain beyond four digits is written as sysfs writes it."""
    machine = profile("t4")
    far = replace(machine.pci[0], address=PciAddress(0x10000, 1, 0))

    functions = pci_view(write_trees(replace(machine, pci=(far,)), tmp_path)).functions

    assert [function.bdf for function in functions] == ["10000:01:00.0"]


def test_files_that_cannot_be_read_are_reasons(tmp_path: Path) -> None:
    """A function whose files are missing or senseless is listed with what is known."""
    root = write_trees(profile("t4"), tmp_path)
    device = (root / "sys/bus/pci/devices/0000:00:1e.0").resolve()
    (device / "revision").unlink()
    (device / "numa_node").write_text("what\n")

    function = pci_view(root).functions[0]

    assert function.unread == {
        "revision": Unread(why=Why.OS_ERROR),
        "numa_node": Unread(why=Why.NOT_TEXT, raw=b"what".hex()),
    }
    assert function.device == "1eb810de"


def test_without_a_bus_the_pci_view_says_so(tmp_path: Path) -> None:
    """No sysfs is a reason, not an empty bus."""
    view = pci_view(tmp_path)

    assert (view.functions, view.unread) == ((), {"pci": Unread(why=Why.OS_ERROR)})


def test_the_kernel_module_names_every_gpu(tmp_path: Path) -> None:
    """UUID, VBIOS, minor, firmware and exclusion come from /proc alone."""
    view = proc_view(write_trees(host_of("gb200-tray", seed="x"), tmp_path))

    assert view.module_version == "580.173.02"
    assert [(gpu.bdf, gpu.minor, gpu.excluded) for gpu in view.gpus][:2] == [
        ("0000:29:00.0", "0", "No"),
        ("0000:3f:00.0", "1", "No"),
    ]
    assert view.gpus[0].vbios == "97.00.b9.00.69"
    assert view.gpus[0].model == "NVIDIA GB200"


def test_without_the_module_the_view_says_so(tmp_path: Path) -> None:
    """No /proc/driver/nvidia is a reason for the version and for the list."""
    view = proc_view(tmp_path)

    assert view.unread == {
        "driver.kernel_module": Unread(why=Why.OS_ERROR),
        "proc": Unread(why=Why.OS_ERROR),
    }


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19", "535.104.05"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  595.45.04  Rel", "595.45.04"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  615.23", "615.23"),
        ("something else", None),
    ],
)
def test_module_versions_are_found_in_their_texts(text: str, version: str | None) -> None:
    """Both flavours of the module and both forms of its version are read."""
    assert module_version(text + "\nGCC version: gcc version 12.3.0\n") == version


def test_a_library_is_described_by_what_it_is(tmp_path: Path) -> None:
    """Size, owner, mode and digest are those of the file."""
    file = tmp_path / "lib.so"
    file.write_bytes(b"abc")
    file.chmod(0o640)

    facts = describe(file)

    assert (facts.size_bytes, facts.owner_uid, facts.mode) == (3, os.getuid(), 0o640)
    assert facts.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_no_candidate_is_no_library_without_a_reason(tmp_path: Path) -> None:
    """Nothing there is not the same as something refused."""
    assert choose((tmp_path / "absent",)) == (None, None)


def test_a_candidate_others_may_write_is_refused(tmp_path: Path) -> None:
    """A file that not only root controls is passed over with a reason."""
    file = tmp_path / "lib.so"
    file.write_bytes(b"")
    file.chmod(0o666)

    assert choose((file,)) == (None, Unread(why=Why.OS_ERROR))


def test_preloading_is_seen_in_variables_and_in_the_file(tmp_path: Path) -> None:
    """Loader variables and /etc/ld.so.preload count; empty ones do not."""
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc/ld.so.preload"

    assert preloaded({"LD_LIBRARY_PATH": "/opt"}, tmp_path)
    assert not preloaded({"LD_PRELOAD": ""}, tmp_path)
    file.write_text("\n")
    assert not preloaded({}, tmp_path)
    file.write_text("/opt/x.so\n")
    assert preloaded({}, tmp_path)


def test_the_child_runs_isolated_and_is_told_everything() -> None:
    """Interpreter in isolated mode, root and allow-list as arguments, nothing by environment."""
    command = scan_command(root=Path("/r"), libraries=(Path("/a"), Path("/b")))

    assert command[1:] == (
        "-I", "-m", "chipledger_agent.scan.child",
        "--root", "/r", "--library", "/a", "--library", "/b",
    )  # fmt: skip


def test_relative_libraries_are_refused() -> None:
    """The loader's search order must never decide."""
    with pytest.raises(ValueError, match="absolute"):
        scan_command(libraries=(Path("libnvidia-ml.so.1"),))


OWN = """\
22 1 0:20 / /sys rw,nosuid - sysfs sysfs rw
23 1 0:21 / /proc rw,nosuid - proc proc rw
24 22 0:6 / /sys/kernel/security rw - securityfs securityfs rw
25 22 0:7 / /sys/devices/virtual/powercap ro - tmpfs tmpfs ro
"""


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("30 23 0:40 / /proc/driver/nvidia rw - tmpfs tmpfs rw", ("/proc/driver/nvidia",)),
        ("30 22 8:1 /fake /sys/bus/pci rw - ext4 /dev/sda1 rw", ("/sys/bus/pci",)),
        (
            "30 22 8:1 /a /sys/devices/pci0000:00 rw - ext4 /dev/sda1 rw",
            ("/sys/devices/pci0000:00",),
        ),
        ("30 23 8:1 /a /proc rw - ext4 /dev/sda1 rw", ("/proc",)),
        (r"30 23 8:1 /a /proc/driver/my\040gpu rw - ext4 /dev/sda1 rw", ("/proc/driver/my gpu",)),
        ("no mount at all", ()),
    ],
)
def test_mounts_before_the_kernels_own_files_are_seen(
    tmp_path: Path, line: str, seen: tuple[str, ...]
) -> None:
    """What every system and every container mounts beside them is no reason."""
    file = tmp_path / "proc/self/mountinfo"
    file.parent.mkdir(parents=True)
    file.write_text(OWN)
    assert overlaid(tmp_path) == ()
    file.write_text(f"{OWN}{line}\n")
    assert overlaid(tmp_path) == seen


def test_a_system_without_a_mount_list_is_not_suspect(tmp_path: Path) -> None:
    """Nothing can be said, so nothing is."""
    assert overlaid(tmp_path) == ()
