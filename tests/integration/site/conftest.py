"""An empty scene for each test that writes; the story of Johor for all that only read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chipledger_testing.door import Door
from chipledger_testing.johor import Johor, tell
from chipledger_testing.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Return an empty database."""
    made = Scene(tmp_path)
    yield made
    made.close()


@pytest.fixture
def door(scene: Scene) -> Door:
    """Return the door to the database."""
    return Door(scene)


@pytest.fixture(scope="session")
def johor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Johor]:
    """Return a database in which something happened; tests only read it."""
    made = Scene(tmp_path_factory.mktemp("johor"))
    yield tell(made, Door(made))
    made.close()
