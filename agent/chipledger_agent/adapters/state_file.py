"""The small state as one JSON file, replaced whole."""

import msgspec

from chipledger_agent.adapters.durable import Disk, storage_failed, write_durably
from chipledger_agent.domain.state import State
from chipledger_agent.ports import Journal

FILE = "state.json"


class StateFile:
    """Keeps `State` in ``state.json`` of a chain's folder.

    A file that cannot be read counts as lost, which costs a challenge and a full report.
    """

    def __init__(self, disk: Disk, *, chain: str, journal: Journal) -> None:
        self._disk = disk
        self._chain = chain
        self._journal = journal

    def load(self) -> State | None:
        """Return the state, ``None`` when there is none or it cannot be read."""
        try:
            return msgspec.json.decode(self._disk.read(f"{self._chain}/{FILE}"), type=State)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            self._journal.trouble("state-lost", detail=str(error))
            return None

    def save(self, state: State) -> None:
        """Make `state` durable; raises `storage-failed`."""
        try:
            write_durably(self._disk, self._chain, FILE, msgspec.json.encode(state))
        except OSError as error:
            raise storage_failed(error, f"saving {self._chain}/{FILE}") from error
