"""Collectors for these tests: one inside this process, one as a real process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.collector_process import CollectorProcess, running


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[CollectorInside]:
    """Return a collector in this process, under a clock that stands still."""
    collector = CollectorInside(tmp_path)
    yield collector
    collector.close()


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """Return a collector process that the tests of a module share."""
    with running(tmp_path_factory.mktemp("collector")) as process:
        yield process
