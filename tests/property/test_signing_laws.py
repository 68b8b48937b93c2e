"""Laws of what is derived from reports and rounds of evidence, over random histories."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chipledger_evidence.inventory import Chip, Status
from chipledger_evidence.nonce import Kind
from chipledger_testing.collector_inside import HOUR_MS, CollectorInside
from chipledger_testing.gpu_pki import GpuMaker, Shape
from chipledger_testing.hosts import SimulatedHost, chip_of, inventory_of
from chipledger_testing.rounds import answer

GPUS = tuple(GpuMaker(number) for number in range(4))
SWITCH = GpuMaker(0, Shape.SWITCH, sees=tuple(gpu.pdi for gpu in GPUS[:3]))
HOSTS = 3
_CHIPS = tuple(
    msgspec.structs.replace(chip_of("law", index), pdi=gpu.pdi) for index, gpu in enumerate(GPUS)
)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that one host does, or that happens.

    Attributes:
        kind: what.
        host: which host.
        lines: chips that it lists, each with or without its PDI; for a round, the chips that sign.
        hours: how long, where time passes.
        flag: a failed scan; a round with a switch; a token from an earlier place of the chain.
    """

    kind: str
    host: int
    lines: tuple[tuple[int, bool], ...]
    hours: int
    flag: bool


_lines = st.lists(
    st.tuples(st.integers(0, len(GPUS) - 1), st.booleans()),
    max_size=4,
    unique_by=lambda one: one[0],
).map(tuple)
_acts = st.builds(
    Act,
    st.sampled_from(["full", "full", "beat", "beat", "sign", "sign", "wait", "late", "fork"]),
    st.integers(0, HOSTS - 1),
    _lines,
    st.sampled_from([1, 2, 27]),
    st.booleans(),
)


_ROUNDS = ("sign", "fork")


class History:
    """Hosts that do what they are told to a collector of their own."""

    def __init__(self, folder: Path) -> None:
        self.inside = CollectorInside(folder)
        self.hosts = [
            self.inside.admit(
                SimulatedHost(seed=f"law{number}"), site=("ams-1", "kul-1")[number % 2]
            )
            for number in range(HOSTS)
        ]

    def run(self, acts: Sequence[Act], *, restarts: bool = False) -> Mapping[str, object]:
        """Do `acts` and return what is derived; `restarts`: with a new sequencer before each."""
        for act in acts:
            if restarts:
                self.inside.restart()
            getattr(self, f"_{act.kind}")(self.hosts[act.host], act)
        return self.inside.derived()

    def close(self) -> None:
        """End."""
        self.inside.close()

    def _full(self, host: SimulatedHost, act: Act) -> None:
        self.inside.pass_time(60_000)
        chips = [_said(number, named=named) for number, named in act.lines]
        whole = inventory_of(*chips)
        failed = msgspec.structs.replace(whole, status=Status.NVML_UNRESPONSIVE)
        host.inventory = failed if act.flag else whole
        self.inside.report(self.inside.full(host))

    def _beat(self, host: SimulatedHost, _act: Act) -> None:
        self.inside.pass_time(60_000)
        self.inside.report(self.inside.heartbeat(host))

    def _sign(self, host: SimulatedHost, act: Act) -> None:
        self.inside.pass_time(60_000)
        host.now_s = self.inside.clock.ms // 1000
        listed = {chip.pdi: chip.index for chip in host.inventory.chips}
        makers: dict[int | None, GpuMaker] = {
            listed.get(GPUS[number].pdi, place) if hinted else place: GPUS[number]
            for place, (number, hinted) in enumerate(act.lines)
        }
        challenge = self.inside.nonce(host, Kind.EVIDENCE)
        made = answer(host, challenge, makers, switches=[SWITCH] if act.flag else [])
        self.inside.report(made.token, blobs=made.blobs)
        self.inside.judge()

    def _wait(self, _host: SimulatedHost, act: Act) -> None:
        self.inside.pass_time(act.hours * HOUR_MS)

    def _late(self, host: SimulatedHost, act: Act) -> None:
        nonce = self.inside.nonce(host, Kind.CHALLENGE)
        self.inside.pass_time(HOUR_MS)
        host.now_s = self.inside.clock.ms // 1000
        self.inside.report(host.full(nonce) if act.flag else host.heartbeat(nonce))

    def _fork(self, host: SimulatedHost, act: Act) -> None:
        now = (host.seq, host.prev)
        host.seq = max(0, host.seq - 1 - act.hours % 3)
        self._sign(host, act)
        if act.flag:
            host.seq, host.prev = now


def _said(number: int, *, named: bool) -> Chip:
    chip = _CHIPS[number]
    return chip if named else msgspec.structs.replace(chip, pdi=None)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_acts, min_size=1, max_size=14))
def test_a_replay_gives_again_what_was_derived(acts: list[Act]) -> None:
    """The same log gives the same state, whatever hosts and devices did."""
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        before = history.run(acts)
        history.inside.replay()
        again = history.inside.derived()
        history.close()

    assert again == before


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_acts, min_size=1, max_size=14))
def test_a_restart_changes_nothing_that_is_derived(acts: list[Act]) -> None:
    """What the process keeps in memory is what the database says."""
    derived = []
    for restarts in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            history = History(Path(folder))
            derived.append(history.run(acts, restarts=restarts))
            history.close()

    assert derived[0] == derived[1]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_acts, min_size=1, max_size=14))
def test_no_more_chips_count_by_their_signature_than_have_signed(acts: list[Act]) -> None:
    """However hosts name the lines of their inventories, and whoever claims them."""
    signers = {number for act in acts if act.kind in _ROUNDS for number, _ in act.lines}
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        history.run(acts)
        inside = history.inside
        counted = [
            both
            for site in ("ams-1", "kul-1")
            for both in zip(inside.standings(site), inside.grades(site), strict=True)
        ]
        history.close()

    assert counted.count(("present", "G3")) <= len(signers)
