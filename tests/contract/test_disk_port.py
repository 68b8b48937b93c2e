"""What every disk promises while nothing crashes: the real one and the one that forgets."""

from pathlib import Path

import pytest

from chipledger_agent.adapters.durable import Disk, PosixDisk, write_durably
from chipledger_testing.disk import SimulatedDisk


@pytest.fixture(params=["posix", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    """Return an empty disk with one folder."""
    made: Disk = PosixDisk(tmp_path) if request.param == "posix" else SimulatedDisk()
    made.make_folder("a")
    return made


def test_a_written_file_is_read_back(disk: Disk) -> None:
    """Byte for byte, with its size."""
    write_durably(disk, "a", "file", b"\x00content")

    assert disk.names("a") == ["file"]
    assert disk.read("a/file") == b"\x00content"
    assert disk.size("a/file") == 8


def test_writing_replaces_the_whole_content(disk: Disk) -> None:
    """No byte of the old stays."""
    write_durably(disk, "a", "file", b"a long content")
    write_durably(disk, "a", "file", b"short")

    assert disk.read("a/file") == b"short"


def test_overwriting_keeps_what_is_around_it(disk: Disk) -> None:
    """And the size."""
    write_durably(disk, "a", "file", b"0123456789")
    disk.overwrite("a/file", b"xy", at=4)

    assert disk.read("a/file") == b"0123xy6789"


def test_overwriting_needs_a_file(disk: Disk) -> None:
    """It never makes one."""
    with pytest.raises(FileNotFoundError):
        disk.overwrite("a/file", b"x", at=0)


def test_a_rename_replaces_its_target(disk: Disk) -> None:
    """Within a folder and between folders."""
    disk.make_folder("b")
    disk.write("a/one", b"1")
    disk.write("b/two", b"2")
    disk.rename("a/one", "b/two")
    disk.sync_folder("b")
    disk.sync_folder("a")

    assert disk.names("a") == []
    assert disk.read("b/two") == b"1"


def test_removing_an_absent_file_is_fine(disk: Disk) -> None:
    """It is gone either way."""
    disk.write("a/one", b"1")
    disk.unlink("a/one")
    disk.unlink("a/one")

    assert disk.names("a") == []


def test_making_a_folder_twice_is_fine(disk: Disk) -> None:
    """What is in it stays."""
    disk.write("a/one", b"1")
    disk.make_folder("a")

    assert disk.names("a") == ["one"]


@pytest.mark.parametrize("path", ["a/absent", "absent/file"])
def test_an_absent_file_is_an_error(disk: Disk, path: str) -> None:
    """The same error everywhere."""
    with pytest.raises(FileNotFoundError):
        disk.read(path)
    with pytest.raises(FileNotFoundError):
        disk.size(path)


def test_an_absent_folder_is_an_error(disk: Disk) -> None:
    """It is never taken for an empty one."""
    with pytest.raises(FileNotFoundError):
        disk.names("absent")
    with pytest.raises(FileNotFoundError):
        disk.sync_folder("absent")
