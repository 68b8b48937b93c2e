"""Captures: everything a machine answers, nothing that names it, and the same scan when played."""

import ctypes
from dataclasses import replace
from pathlib import Path

import msgspec
import pynvml
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chipledger_agent.scan import nvml
from chipledger_agent.scan.capture import (
    NOTHING_HEARD,
    Capture,
    CaptureError,
    capture,
    capture_command,
    count_calls,
    take_capture,
)
from chipledger_agent.scan.scrub import Placeholders, identities
from chipledger_agent.scan.tape import Recorder, Target, outputs
from chipledger_evidence.inventory import Inventory, inventory_digest
from chipledger_testing.nvml import (
    Machine,
    MockLibrary,
    host_of,
    installed,
    junk,
    refuse,
    write_trees,
)
from chipledger_testing.nvml.child import MockSource, scan_in_process
from chipledger_testing.nvml.library import Export
from chipledger_testing.nvml.process import FakeChild, FakeSpawn, WaitingClock
from chipledger_testing.nvml.recording import TapePlayer, play_capture

HOST_NAME = "gpu-node-0017"


def captured(machine: Machine, root: Path) -> Capture:
    """Return a capture of a simulated host."""
    write_trees(machine, root)
    with installed(None):
        return capture(MockSource(machine), root=root, names=(HOST_NAME,))


def without_identity(inventory: Inventory) -> Inventory:
    """Return the inventory with placeholders in the place of identities."""
    text = identities(inventory, (HOST_NAME,)).in_bytes(msgspec.json.encode(inventory))
    return msgspec.json.decode(text, type=Inventory)


@pytest.mark.parametrize("name", ["hgx-h100", "gb200-tray", "hgx-b200", "geforce-4060ti"])
def test_a_capture_plays_the_scan_it_recorded(tmp_path: Path, name: str) -> None:
    """Scanning the tape gives the inventory of the machine, with placeholders for identities."""
    machine = replace(host_of(name, seed="x"), dmi={})
    recorded = captured(machine, tmp_path / "a")

    played = play_capture(recorded, tmp_path / "b")
    seen = scan_in_process(machine, tmp_path / "c")

    expected = without_identity(seen.inventory)
    provider = msgspec.structs.replace(expected.provider, kind="tape")
    expected = msgspec.structs.replace(expected, provider=provider)
    assert inventory_digest(played.inventory) == inventory_digest(expected)
    assert played.counters == seen.counters


def test_a_capture_names_nothing(tmp_path: Path) -> None:
    """No serial, UUID, PDI, GUID, chassis, cluster or host name is left, in any spelling."""
    machine = host_of("gb200-tray", seed="x").with_gpu(0, hostname=HOST_NAME)
    machine = machine.with_system(driver_version="610.10.01")
    text = msgspec.json.encode(captured(machine, tmp_path)).decode().lower()

    for gpu in machine.gpus:
        platform, fabric = gpu.answer("platform").value, gpu.answer("fabric").value
        pdi = gpu.answer("pdi").value
        assert isinstance(platform, dict)
        assert isinstance(fabric, dict)
        assert isinstance(pdi, int)
        uuid = str(gpu.answer("uuid").value).removeprefix("GPU-")
        names = [uuid, str(gpu.answer("serial").value), platform["chassis"], fabric["cluster"]]
        for name in (*map(str, names), HOST_NAME):
            assert name not in text
            assert name.replace("-", "") not in text
            assert name.encode().hex() not in text
        for order in ("little", "big"):
            assert pdi.to_bytes(8, order).hex() not in text


def test_what_was_equal_stays_equal(tmp_path: Path) -> None:
    """Two chips of a board share a placeholder serial, a GUID that is the PDI stays the PDI."""
    capture_ = captured(host_of("gb200-tray", seed="x"), tmp_path / "a")

    chips = play_capture(capture_, tmp_path / "b").inventory.chips

    serials = [chip.serial for chip in chips]
    assert serials[0] == serials[1] != serials[2] == serials[3]
    assert len({chip.uuid for chip in chips}) == 4
    for chip in chips:
        assert chip.platform is not None
        assert chip.platform.ib_guid == f"{chip.pdi}{'00' * 8}"


def test_junk_in_the_place_of_an_identity_goes_too(tmp_path: Path) -> None:
    """A serial that is no text is an identity all the same."""
    raw = b"\xfe16541230\xff"
    text = msgspec.json.encode(
        captured(host_of("t4", seed="x").with_gpu(0, serial=junk(raw)), tmp_path)
    ).decode()

    assert raw.hex() not in text


def test_functions_the_library_lacked_are_missing_when_played(tmp_path: Path) -> None:
    """An old driver's missing functions are on the tape as missing."""
    machine = host_of("a100", seed="x")

    tape = captured(machine, tmp_path).tape

    assert "nvmlDeviceGetPdi" in tape.absent
    with pytest.raises(AttributeError):
        _ = TapePlayer(tape).nvmlDeviceGetPdi


def test_getters_beyond_the_scan_are_on_the_tape(tmp_path: Path) -> None:
    """A capture also holds what the scan does not ask for; never who uses the device."""
    tape = captured(host_of("hgx-h100", seed="x"), tmp_path).tape

    names = {key.partition("(")[0] for key in tape.calls} | set(tape.absent)

    assert {"nvmlDeviceGetPersistenceMode", "nvmlDeviceGetPowerUsage"} <= names
    assert not [name for name in names if "Process" in name or "Certificate" in name]


class EntriesLibrary:
    """A library with the one function whose struct points to further memory."""

    def __getattr__(self, name: str) -> Export:
        """Return the function, which fills two entries."""
        if name != "nvmlDeviceGetSramUniqueUncorrectedEccErrorCounts":
            raise AttributeError(name)
        return Export(name, self._fill)

    def _fill(self, arguments: tuple[object, ...]) -> int:
        counts = getattr(arguments[1], "_obj")  # noqa: B009 - what byref() wraps
        if counts.entries:
            for position in range(2):
                counts.entries[position].address = 0x1000 + position
        counts.entryCount = 2
        return 0


def _entries() -> list[int]:
    """Ask in two steps, as the header prescribes, and return the addresses of the entries."""
    ask = pynvml.nvmlDeviceGetSramUniqueUncorrectedEccErrorCounts
    counts = pynvml.c_nvmlEccSramUniqueUncorrectedErrorCounts_v1_t()
    handle = pynvml.c_nvmlDevice_t()
    ask(handle, ctypes.byref(counts))
    found = (pynvml.c_nvmlEccSramUniqueUncorrectedErrorEntry_v1_t * counts.entryCount)()
    counts.entries = ctypes.cast(found, type(counts.entries))
    ask(handle, ctypes.byref(counts))
    return [entry.address for entry in found]


def test_what_names_a_thing_is_asked_once(tmp_path: Path) -> None:
    """A getter asked again could name what the scan did not see, and nobody would scrub it."""
    machine = host_of("hgx-h100", seed="x")
    tape = captured(machine, tmp_path).tape

    for name in ("UUID", "Serial", "Pdi"):
        asked = [key for key in tape.calls if key.startswith(f"nvmlDeviceGet{name}(")]
        assert len(asked) == len(machine.gpus)
        assert all(len(tape.calls[key]) == 1 for key in asked)
    assert not {"UUID", "Serial", "Pdi", "Hostname_v1"} & {
        name.removeprefix("nvmlDeviceGet") for name in nvml.plain_getters(of_device=True)
    }


def test_pointers_inside_structs_are_followed_and_not_written_down() -> None:
    """The entries behind a pointer are played into other memory; no address is on the tape."""
    recorder = Recorder(EntriesLibrary())
    with installed(recorder):
        recorded = _entries()
    with installed(TapePlayer(recorder.tape())):
        played = _entries()

    assert recorded == played == [0x1000, 0x1001]


def test_an_answer_never_reaches_beyond_the_memory_it_was_for() -> None:
    """Playing into less memory than was recorded writes only what fits."""
    value = ctypes.c_ubyte(0)
    neighbours = (ctypes.c_ubyte * 4)()
    target = Target(ctypes.addressof(neighbours), 2)

    target.write(b"\xff\xff\xff\xff")

    assert bytes(neighbours) == b"\xff\xff\x00\x00"
    assert [t.size for t in outputs((ctypes.byref(value),))] == [1]


def test_repeated_calls_play_in_order() -> None:
    """A value that changed between two calls changes again when played; the last one stays."""
    machine = host_of("t4", seed="x").with_gpu(0, lost_after_calls=1)
    recorder = Recorder(MockLibrary(machine))

    def ask() -> list[int]:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        codes = []
        for _ in range(3):
            try:
                pynvml.nvmlDeviceGetMinorNumber(handle)
                codes.append(0)
            except pynvml.NVMLError as error:
                codes.append(int(error.value))
        return codes

    with installed(recorder):
        recorded = ask()
    with installed(TapePlayer(recorder.tape())):
        played = ask()

    assert recorded == played == [0, 15, 15]


@given(st.lists(st.integers(2**40, 2**64 - 1), min_size=2, max_size=20, unique=True))
def test_different_words_get_different_placeholders(values: list[int]) -> None:
    """Placeholders keep distinct identities apart, and are the same in both byte orders."""
    turned = {int.from_bytes(value.to_bytes(8, "little"), "big") for value in values}
    assume(turned.isdisjoint(values))  # one value's bytes turned round are another's
    placeholders = Placeholders()
    for value in values:
        placeholders.word(value)

    little = [placeholders.in_bytes(value.to_bytes(8, "little")) for value in values]
    big = [placeholders.in_bytes(value.to_bytes(8, "big")) for value in values]

    assert len(set(big)) == len(values)
    assert [part[::-1] for part in little] == big


@pytest.mark.parametrize(
    ("code", "why"), [(12, "no NVML library"), (18, "driver-mismatch, NVML error 18")]
)
def test_a_machine_whose_nvml_does_not_answer_gives_no_capture(
    tmp_path: Path, code: int, why: str
) -> None:
    """An empty document would be taken for a machine without chips."""
    machine = host_of("t4", seed="x").with_system(init=refuse(code))

    with pytest.raises(CaptureError, match=why):
        captured(machine, tmp_path)


def test_calls_that_failed_are_counted(tmp_path: Path) -> None:
    """A lost chip makes no capture fail; how much it lost is known."""
    machine = host_of("hgx-h100", seed="x")
    whole = count_calls(msgspec.json.encode(captured(machine, tmp_path / "a")))
    lost = machine.with_gpu(3, handle=refuse(15))
    part = count_calls(msgspec.json.encode(captured(lost, tmp_path / "b")))

    assert 0 <= whole.failed < whole.total
    assert part.total - part.failed < whole.total - whole.failed


def test_a_child_that_heard_nothing_says_why_itself() -> None:
    """Its last words are the reason, not its exit status."""
    clock = WaitingClock()
    child = FakeChild(clock, code=NOTHING_HEARD, told="warning\nno NVML library: /x\n")

    with pytest.raises(CaptureError, match=r"^no NVML library: /x$"):
        take_capture(monotonic_ms=clock, command=("x",), spawn=FakeSpawn([child]))


def test_the_capture_child_takes_the_arguments_of_the_scan() -> None:
    """Isolated mode, root, allow-list or override, as for a scan."""
    command = capture_command(root=Path("/r"), override=Path("/lib/x.so"))

    assert command[1:] == (
        "-I", "-m", "chipledger_agent.scan.capture", "--root", "/r", "--override", "/lib/x.so",
    )  # fmt: skip


def test_a_capture_that_hangs_is_given_up() -> None:
    """A capture has a deadline as well."""
    clock = WaitingClock()
    child = FakeChild(clock, hangs=True)

    with pytest.raises(CaptureError, match="deadline"):
        take_capture(monotonic_ms=clock, command=("x",), spawn=FakeSpawn([child]))

    assert child.killed == 1
    assert 300_000 <= clock.now_ms <= 301_000


def test_a_capture_that_fails_says_so() -> None:
    """An exit status other than 0 is no capture."""
    clock = WaitingClock()
    child = FakeChild(clock, output=b"{}", code=2)

    with pytest.raises(CaptureError, match="status 2"):
        take_capture(monotonic_ms=clock, command=("x",), spawn=FakeSpawn([child]))
