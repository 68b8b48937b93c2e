"""The shipped scan child against a real shared object: loading, hang, crash, missing symbols."""

import hashlib
import os
import sys
import time
from pathlib import Path

import pytest

from chipledger_agent.domain.claims import Scan
from chipledger_agent.scan.capture import capture_command, take_capture
from chipledger_agent.scan.command import scan_command
from chipledger_agent.scan.parent import ChildScanner
from chipledger_evidence.inventory import PciKind, Status, Unread, Why
from chipledger_testing.nvml import host_of, refuse, write_machine, write_trees
from chipledger_testing.nvml.child import mock_command
from chipledger_testing.nvml.clib import build_library
from chipledger_testing.nvml.process import ImpatientWatch
from chipledger_testing.nvml.recording import play_capture, read_capture

pytestmark = pytest.mark.cc
TIMEOUT, CRASH = Unread(why=Why.TIMEOUT), Unread(why=Why.CRASH)


def now_ms() -> int:
    """Return the monotonic clock."""
    return time.monotonic_ns() // 1_000_000


def scanner(root: Path, library: Path) -> ChildScanner:
    """Return a scanner of the host under `root` with `library` for NVML."""
    return ChildScanner(
        monotonic_ms=now_ms, command=scan_command(root=root, override=library), root=root
    )


def scan_until(marker: bytes, root: Path, library: Path) -> Scan:
    """Return a scan whose deadline passes as soon as the child hangs after telling `marker`."""
    watch = ImpatientWatch(marker)
    command = scan_command(root=root, override=library)
    return ChildScanner(monotonic_ms=watch, command=command, spawn=watch.spawn, root=root).scan()


def c_library() -> Path:
    """Return a shared object that root owns and everybody has: this process's C library."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return next(Path(line.split()[-1]) for line in maps if "/libc.so" in line or "/libc-" in line)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Return the root of an HGX H100 host."""
    return write_trees(host_of("hgx-h100", seed="x"), tmp_path / "root")


def test_a_library_is_loaded_by_its_path_and_described(host: Path, tmp_path: Path) -> None:
    """Path, digest, owner and size of what is mapped are in the record, and its kind."""
    library = build_library(tmp_path)

    inventory = scanner(host, library).scan().inventory

    assert inventory.status is Status.OK
    assert [chip.uuid for chip in inventory.chips] == [
        "GPU-00000000-0000-0000-0000-000000000000",
        "GPU-00000001-0000-0000-0000-000000000000",
    ]
    assert inventory.provider.kind == "library-override"
    facts = inventory.provider.library
    assert facts is not None
    assert facts.path == str(library)
    assert facts.sha256 == hashlib.sha256(library.read_bytes()).hexdigest()
    assert (facts.owner_uid, facts.size_bytes) == (os.getuid(), library.stat().st_size)


def test_a_listed_library_of_root_is_the_real_provider(host: Path, tmp_path: Path) -> None:
    """A root-owned file from the allow-list is `nvml`, whatever it then answers."""
    library = c_library()
    command = scan_command(root=host, libraries=(tmp_path / "absent.so", library))

    inventory = ChildScanner(monotonic_ms=now_ms, command=command).scan().inventory

    facts = inventory.provider.library
    assert facts is not None
    assert (inventory.provider.kind, facts.path, facts.owner_uid) == ("nvml", str(library), 0)
    assert inventory.error == Unread(nvml=13)  # the C library is none of NVML's: no such function


def test_a_listed_library_that_others_may_write_is_not_loaded(host: Path, tmp_path: Path) -> None:
    """Such a file is passed over, and the record says that one was there."""
    library = build_library(tmp_path)
    library.chmod(0o777)
    command = scan_command(root=host, libraries=(library,))

    inventory = ChildScanner(monotonic_ms=now_ms, command=command).scan().inventory

    assert (inventory.status, inventory.error) == (Status.NO_NVML, Unread(nvml=12))
    assert inventory.unread["provider.library"] == Unread(why=Why.OS_ERROR)


def test_a_file_that_cannot_be_loaded_is_no_library(host: Path, tmp_path: Path) -> None:
    """A file of the wrong kind looks like no driver, and PCI still shows eight GPUs."""
    library = tmp_path / "libnvidia-ml.so.1"
    library.write_bytes(b"not a shared object")

    inventory = scanner(host, library).scan().inventory

    assert inventory.status is Status.NO_NVML
    assert sum(function.kind is PciKind.GPU for function in inventory.pci) == 8


def test_21_a_hang_costs_only_what_came_after(host: Path, tmp_path: Path) -> None:
    """The first chip is whole; of the second, identity stands and the rest is `timeout`."""
    library = build_library(tmp_path, "HANG_AT=VBIOS")

    scan = scan_until(b'"index":1', host, library)

    inventory = scan.inventory
    assert (inventory.status, inventory.error) == (Status.NVML_UNRESPONSIVE, TIMEOUT)
    assert (inventory.device_count, len(inventory.chips)) == (2, 2)
    assert inventory.chips[0].vbios == "96.00.99.00.01"
    assert inventory.chips[1].uuid == "GPU-00000001-0000-0000-0000-000000000000"
    assert inventory.chips[1].serial == "1654123038646"
    assert inventory.chips[1].unread["vbios"] == TIMEOUT
    assert scan.counters[1].ecc_corrected == TIMEOUT
    assert len(inventory.pci) == 12


def test_21_a_hang_at_the_handle_leaves_the_chip_in_the_count(host: Path, tmp_path: Path) -> None:
    """A device never opened is in the record with its reason."""
    library = build_library(tmp_path, "HANG_AT=HANDLE")

    inventory = scan_until(b'"line":"chip"', host, library).inventory

    assert [chip.lost for chip in inventory.chips] == [None, TIMEOUT]


def test_21_a_hang_at_init_leaves_the_other_views(host: Path, tmp_path: Path) -> None:
    """PCI and /proc were told before NVML was touched."""
    library = build_library(tmp_path, "HANG_AT=INIT")

    inventory = scan_until(b'"line":"loaded"', host, library).inventory

    assert inventory.status is Status.NVML_UNRESPONSIVE
    assert (len(inventory.pci), len(inventory.proc)) == (12, 8)
    assert inventory.unread["device_count"] == TIMEOUT


def test_a_hang_after_the_end_is_no_loss(host: Path, tmp_path: Path) -> None:
    """A library that never lets go is killed; the scan had told everything."""
    library = build_library(tmp_path, "HANG_AT=SHUTDOWN")

    inventory = scanner(host, library).scan().inventory

    assert inventory.status is Status.OK
    assert len(inventory.chips) == 2


def test_22_a_crash_costs_only_what_came_after(host: Path, tmp_path: Path) -> None:
    """A SIGSEGV in the library ends the child; what it told stands, the rest says `crash`."""
    library = build_library(tmp_path, "CRASH_AT=NAME")
    parent = scanner(host, library)

    inventory = parent.scan().inventory

    assert (inventory.status, inventory.error) == (Status.NVML_CRASHED, CRASH)
    assert [chip.lost for chip in inventory.chips] == [None, CRASH]
    assert inventory.chips[0].name == "NVIDIA H100 80GB HBM3"
    assert "Segmentation fault" in parent.note


def test_a_scan_after_a_crash_starts_afresh(host: Path, tmp_path: Path) -> None:
    """A crash of one child is no matter to the next."""
    parent = scanner(host, build_library(tmp_path, "CRASH_AT=INIT"))
    assert parent.scan().inventory.status is Status.NVML_CRASHED

    build_library(tmp_path)

    assert parent.scan().inventory.status is Status.OK


def test_missing_symbols_cost_their_fields(host: Path, tmp_path: Path) -> None:
    """A library without a function gives FunctionNotFound there, and the rest."""
    library = build_library(tmp_path, "NO_SERIAL")

    chip = scanner(host, library).scan().inventory.chips[0]

    assert (chip.serial, chip.uuid is None) == (None, False)
    assert chip.unread["serial"] == chip.unread["pdi"] == Unread(nvml=13)


def test_a_library_without_init_is_an_nvml_error(host: Path, tmp_path: Path) -> None:
    """Without nvmlInitWithFlags nothing can be asked; the code says why."""
    library = build_library(tmp_path, "NO_INIT")

    inventory = scanner(host, library).scan().inventory

    assert (inventory.status, inventory.error) == (Status.NVML_ERROR, Unread(nvml=13))


def test_a_library_that_prints_does_not_disturb_the_lines(host: Path, tmp_path: Path) -> None:
    """What a library writes to stdout goes to the note, not between the lines."""
    parent = scanner(host, build_library(tmp_path, "TALKS"))

    assert parent.scan().inventory.status is Status.OK
    assert "hello from the library" in parent.note


def test_an_unknown_error_is_tried_once_more_in_a_new_child(tmp_path: Path) -> None:
    """Unknown (999) at first and an answer then: the second child's scan stands."""
    machine = host_of("t4", seed="x")
    bad = write_machine(machine.with_system(init=refuse(999)), tmp_path / "bad.json")
    good = write_machine(machine, tmp_path / "good.json")
    command = mock_command(bad, good, turns=tmp_path / "turns")

    inventory = ChildScanner(monotonic_ms=now_ms, command=command).scan().inventory

    assert inventory.status is Status.OK
    assert (tmp_path / "turns").read_text() == "2"


def test_an_unknown_error_that_stays_is_reported_after_two_children(tmp_path: Path) -> None:
    """Twice Unknown is Unknown; there is no third child."""
    bad = host_of("t4", seed="x").with_system(init=refuse(999))
    command = mock_command(write_machine(bad, tmp_path / "bad.json"), turns=tmp_path / "turns")

    inventory = ChildScanner(monotonic_ms=now_ms, command=command).scan().inventory

    assert (inventory.status, inventory.error) == (Status.NVML_ERROR, Unread(nvml=999))
    assert (tmp_path / "turns").read_text() == "2"


def test_the_mock_child_says_that_it_is_one(tmp_path: Path) -> None:
    """The record of a simulated host names its provider."""
    machine = write_machine(host_of("gb200-tray", seed="x"), tmp_path / "machine.json")

    inventory = ChildScanner(monotonic_ms=now_ms, command=mock_command(machine)).scan().inventory

    assert (inventory.status, inventory.provider.kind) == (Status.OK, "mock")
    assert len(inventory.chips) == 4


def test_a_child_that_cannot_run_is_a_failed_scan(tmp_path: Path) -> None:
    """A missing program, and a child that ends with an error, are scan-failed."""
    absent = ChildScanner(monotonic_ms=now_ms, command=(str(tmp_path / "absent"),))
    broken = ChildScanner(
        monotonic_ms=now_ms, command=(sys.executable, "-c", "raise SystemExit(3)")
    )

    assert absent.scan().inventory.status is Status.SCAN_FAILED
    assert broken.scan().inventory.status is Status.SCAN_FAILED


def test_a_capture_of_a_library_plays_without_it(host: Path, tmp_path: Path) -> None:
    """The shipped capture child records a loaded library; its tape shows the same chips."""
    library = build_library(tmp_path, "TALKS")

    document = take_capture(
        monotonic_ms=now_ms, command=capture_command(root=host, override=library)
    )

    file = tmp_path / "capture.json"
    file.write_bytes(document)
    chips = play_capture(read_capture(file), tmp_path / "played").inventory.chips
    assert [(chip.name, chip.serial) for chip in chips] == [
        ("NVIDIA H100 80GB HBM3", "1650000000001")
    ] * 2
    assert "1654123038646" not in document.decode()
