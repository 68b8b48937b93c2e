"""Real TPMs in software, their maker, and a collector that believes it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chipledger_testing.collector_inside import CollectorInside, StillClock

if TYPE_CHECKING:
    from chipledger_testing.swtpm import SoftwareTpm, TpmMaker

Plug = Callable[..., "SoftwareTpm"]
DAY_MS = 86_400_000


@pytest.fixture
def maker(tmp_path: Path) -> "TpmMaker":
    """A maker of TPMs."""
    from chipledger_testing.swtpm import TpmMaker  # noqa: PLC0415 - the suite may be left out

    return TpmMaker(folder=tmp_path / "maker")


@pytest.fixture
def plug(tmp_path: Path, maker: "TpmMaker") -> Iterator[Plug]:
    """Switches TPMs on, by name; they are switched off at the end."""
    from chipledger_testing import swtpm  # noqa: PLC0415 - same

    running: list[SoftwareTpm] = []

    def switch_on(name: str, *, vouched: bool = True) -> "SoftwareTpm":
        state = tmp_path / "tpm" / name
        tpm = maker.make(state) if vouched else swtpm.bare(state)
        running.append(tpm.switch_on())
        return tpm

    yield switch_on
    for tpm in running:
        tpm.switch_off()


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[CollectorInside]:
    """A collector, a day after the TPMs were made; it believes no maker of ours yet."""
    folder = tmp_path / "collector"
    folder.mkdir()
    collector = CollectorInside(folder, clock=StillClock(int(time.time()) * 1000 + DAY_MS))
    yield collector
    collector.close()
