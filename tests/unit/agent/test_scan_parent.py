"""The parent of scan children: deadlines, stuck children, and what is made of their words."""

from pathlib import Path

import pytest

from chipledger_agent.scan.lines import (
    Began,
    ChipPart,
    ChipRead,
    Counted,
    Done,
    Failed,
    Line,
    PciView,
)
from chipledger_agent.scan.parent import ChildScanner
from chipledger_evidence.inventory import (
    Chip,
    PciFunction,
    PciKind,
    Status,
    Unread,
    Why,
)
from chipledger_testing.nvml import host_of, write_trees
from chipledger_testing.nvml.process import FakeChild, FakeSpawn, WaitingClock, told

BEGAN = Began(provider="nvml", preload=False)
PCI = PciView(functions=(PciFunction(bdf="0000:53:00.0", kind=PciKind.GPU, device="233010de"),))
ONE = ChipRead(chip=Chip(index=0, uuid="GPU-0"))
WHOLE: tuple[Line, ...] = (BEGAN, PCI, Counted(devices=1), ONE, Done())
TIMEOUT = Unread(why=Why.TIMEOUT)


def scanner(clock: WaitingClock, spawn: FakeSpawn, root: Path = Path("/nowhere")) -> ChildScanner:
    """Return a scanner with limits of 60 and 20 seconds."""
    return ChildScanner(monotonic_ms=clock, command=("child",), spawn=spawn, root=root)


def test_a_whole_scan_is_ok() -> None:
    """Views and chips of a child that went to its end make an inventory that is ok."""
    clock = WaitingClock()
    child = FakeChild(clock, output=told(*WHOLE))

    inventory = scanner(clock, FakeSpawn([child])).scan().inventory

    assert (inventory.status, inventory.error, inventory.device_count) == (Status.OK, None, 1)
    assert inventory.chips == (ONE.chip,)
    assert child.closed


def test_the_first_scan_may_take_longer_than_later_ones() -> None:
    """60 seconds for the first scan, 20 for every later one."""
    clock = WaitingClock()
    first, second = FakeChild(clock, hangs=True), FakeChild(clock, hangs=True)
    parent = scanner(clock, FakeSpawn([first, second]))

    parent.scan()
    after_first = clock.now_ms
    parent.scan()

    assert 60_000 <= after_first <= 63_000
    assert 20_000 <= clock.now_ms - after_first <= 23_000


def test_a_child_that_misses_its_deadline_is_killed() -> None:
    """SIGKILL, and what it had told stands."""
    clock = WaitingClock()
    child = FakeChild(clock, output=told(BEGAN, PCI, Counted(devices=3), ONE), hangs=True)

    inventory = scanner(clock, FakeSpawn([child])).scan().inventory

    assert (inventory.status, inventory.error) == (Status.NVML_UNRESPONSIVE, TIMEOUT)
    assert [chip.lost for chip in inventory.chips] == [None, TIMEOUT, TIMEOUT]
    assert (child.killed, child.closed) == (1, True)


@pytest.mark.parametrize(
    "garbage",
    [
        b"Segmentation fault",
        b'{"a":' + b"[" * 200_000,
        b'{"line":"began","provider":"\xff\xfe","preload":false}',
        b'{"line":"counted","devices":-1}',
        b'{"line":"counted","devices":' + b"1" * 10_000 + b"}",
    ],
    ids=["text", "deep", "not-utf-8", "negative", "huge"],
)
def test_words_that_are_not_ours_end_the_scan_and_not_the_agent(garbage: bytes) -> None:
    """What was told before stands, what comes after is not listened to."""
    clock = WaitingClock()
    child = FakeChild(clock, output=told(BEGAN, PCI) + garbage + b"\n" + told(ONE, Done()))

    inventory = scanner(clock, FakeSpawn([child])).scan().inventory

    assert inventory.status is Status.SCAN_FAILED
    assert (inventory.pci, inventory.chips) == (PCI.functions, ())


def test_an_unkillable_child_is_never_waited_for(tmp_path: Path) -> None:
    """A child in an uninterruptible call ends the scan all the same, a few seconds late."""
    clock = WaitingClock()
    child = FakeChild(clock, hangs=True, unkillable=True)

    scanner(clock, FakeSpawn([child]), tmp_path).scan()

    assert clock.now_ms <= 65_000
    assert not child.closed


def test_no_child_is_started_on_top_of_a_stuck_one(tmp_path: Path) -> None:
    """While it lives, scans show PCI and /proc, and say that NVML does not answer."""
    clock = WaitingClock()
    child = FakeChild(clock, hangs=True, unkillable=True)
    spawn = FakeSpawn([child])
    parent = scanner(clock, spawn, write_trees(host_of("hgx-h100", seed="x"), tmp_path))
    parent.scan()

    inventory = parent.scan().inventory

    assert len(spawn.commands) == 1
    assert (inventory.status, inventory.error) == (Status.NVML_UNRESPONSIVE, TIMEOUT)
    assert (len(inventory.pci), len(inventory.proc)) == (12, 8)
    assert inventory.unread["device_count"] == TIMEOUT


def test_scans_resume_when_the_stuck_child_is_gone(tmp_path: Path) -> None:
    """Once the kernel lets go of it, the next scan has a child again."""
    clock = WaitingClock()
    child = FakeChild(clock, hangs=True, unkillable=True)
    parent = scanner(clock, FakeSpawn([child, FakeChild(clock, output=told(*WHOLE))]), tmp_path)
    parent.scan()

    child.gone = True

    assert parent.scan().inventory.status is Status.OK
    assert child.closed


def test_a_signal_is_a_crash() -> None:
    """Death by a signal is `nvml-crashed`, with the chips that were told."""
    clock = WaitingClock()
    child = FakeChild(clock, output=told(BEGAN, PCI, Counted(devices=2), ONE), code=-11)

    inventory = scanner(clock, FakeSpawn([child])).scan().inventory

    assert (inventory.status, inventory.error) == (Status.NVML_CRASHED, Unread(why=Why.CRASH))
    assert [chip.lost for chip in inventory.chips] == [None, Unread(why=Why.CRASH)]


def test_a_crash_after_the_last_line_is_no_loss() -> None:
    """Whoever told everything has finished, however it went away."""
    clock = WaitingClock()
    child = FakeChild(clock, output=told(*WHOLE), code=-6)

    assert scanner(clock, FakeSpawn([child])).scan().inventory.status is Status.OK


def test_a_torn_last_line_is_dropped() -> None:
    """A child that dies while it writes loses that line, not the scan."""
    clock = WaitingClock()
    output = told(BEGAN, PCI, Counted(devices=1)) + told(ONE)[:20]

    inventory = (
        scanner(clock, FakeSpawn([FakeChild(clock, output=output, code=-11)])).scan().inventory
    )

    assert inventory.status is Status.NVML_CRASHED
    assert inventory.device_count == 1


def test_an_interrupted_chip_keeps_its_identity() -> None:
    """Fields that were still to be read carry the reason; those read stand."""
    clock = WaitingClock()
    part = ChipPart(chip=Chip(index=0, uuid="GPU-0"), pending=("vbios", "mig"))
    child = FakeChild(clock, output=told(BEGAN, Counted(devices=1), part), hangs=True)

    scan = scanner(clock, FakeSpawn([child])).scan()

    assert scan.inventory.chips == (
        Chip(index=0, uuid="GPU-0", unread={"vbios": TIMEOUT, "mig": TIMEOUT}),
    )
    assert scan.counters[0].bbx_seconds == TIMEOUT


@pytest.mark.parametrize("output", [b"hello\n", b'{"line":"done","more":1}\n', b"{}\n"])
def test_words_that_are_not_ours_fail_the_scan(output: bytes) -> None:
    """A line nobody of ours would write is `scan-failed`; the lines before it stand."""
    clock = WaitingClock()
    child = FakeChild(clock, output=told(BEGAN, PCI) + output + told(Done()))

    inventory = scanner(clock, FakeSpawn([child])).scan().inventory

    assert inventory.status is Status.SCAN_FAILED
    assert len(inventory.pci) == 1


def test_a_flood_of_words_ends_the_scan() -> None:
    """A child that writes without end is killed."""
    clock = WaitingClock()
    child = FakeChild(clock, output=b"x" * (17 << 20), hangs=True)

    inventory = scanner(clock, FakeSpawn([child])).scan().inventory

    assert inventory.status is Status.SCAN_FAILED
    assert child.killed == 1


def test_a_child_that_cannot_be_started_is_a_failed_scan() -> None:
    """No process, no views; the status says so and the note holds the words of the system."""
    clock = WaitingClock()
    parent = scanner(clock, FakeSpawn([]))

    assert parent.scan().inventory.status is Status.SCAN_FAILED
    assert parent.note == "no more children"


def test_a_child_that_ends_early_without_a_word_is_a_failed_scan() -> None:
    """Exit status 0 without the last line is not the end of a scan."""
    clock = WaitingClock()

    inventory = scanner(clock, FakeSpawn([FakeChild(clock)])).scan().inventory

    assert inventory.status is Status.SCAN_FAILED
    assert inventory.unread["device_count"] == Unread(why=Why.OS_ERROR)


@pytest.mark.parametrize(
    "line",
    [
        Failed(status=Status.NVML_ERROR, error=Unread(nvml=999)),
        ChipRead(chip=Chip(index=0, lost=Unread(nvml=999))),
    ],
)
def test_unknown_is_tried_once_more(line: Line) -> None:
    """Unknown (999) at init or at a handle gets one more child, whose word stands."""
    clock = WaitingClock()
    bad = FakeChild(clock, output=told(BEGAN, Counted(devices=1), line, Done()))
    good = FakeChild(clock, output=told(*WHOLE))
    spawn = FakeSpawn([bad, good])

    inventory = scanner(clock, spawn).scan().inventory

    assert len(spawn.commands) == 2
    assert inventory.chips == (ONE.chip,)
    assert inventory.status is Status.OK


def test_other_codes_are_not_tried_again() -> None:
    """A driver that is not loaded will not be loaded in a second child."""
    clock = WaitingClock()
    failed = Failed(status=Status.DRIVER_ABSENT, error=Unread(nvml=9))
    spawn = FakeSpawn([FakeChild(clock, output=told(BEGAN, PCI, failed, Done()))])

    inventory = scanner(clock, spawn).scan().inventory

    assert (inventory.status, len(spawn.commands)) == (Status.DRIVER_ABSENT, 1)
