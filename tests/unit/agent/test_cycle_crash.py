"""Every disk operation of a cycle fails once, or is the last the process does."""

import random  # noqa: TID251 - seeded: the same crash in every run
from collections.abc import Callable, Iterator

import pytest

from chipledger_agent.domain.failures import AgentError
from chipledger_evidence.ids import NO_PREVIOUS
from chipledger_testing.agent_host import AgentHost
from chipledger_testing.collector import Trouble
from chipledger_testing.disk import Fault, Killed, Mode, SimulatedDisk

AFTERMATHS: dict[str, Callable[[], Callable[[], bool]]] = {
    "nothing-else-reached-the-disk": lambda: lambda: False,
    "all-reached-the-disk": lambda: lambda: True,
    "some-reached-the-disk": lambda: coin("a"),
    "others-reached-the-disk": lambda: coin("b"),
}


def coin(seed: str) -> Callable[[], bool]:
    """Return a coin that falls the same way in every run."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    return lambda: chance.random() < 0.5


def story(host: AgentHost) -> Iterator[Callable[[], object]]:
    """Yield the steps of a life with everything in it: outage, refusal, change, restoration."""
    yield host.start
    yield host.run
    yield host.run
    host.collector.trouble = [Trouble(), Trouble(after=True)]
    yield host.run
    yield host.run
    yield host.run
    host.collector.change_nonce_key()
    yield host.run
    host.machine.boot_number += 1
    yield host.run
    host.collector.forget_after(3)
    host.machine.boot_number += 1
    yield host.run
    yield lambda: host.run(after_s=8 * 86_400)


def live(host: AgentHost, fault: Fault | None, aftermath: Callable[[], bool]) -> int:
    """Live through the story, restarting after a crash; return the operations it took."""
    assert isinstance(host.disk, SimulatedDisk)
    host.disk.fault = fault
    operations = 0
    for step in story(host):
        try:
            step()
        except Killed:
            operations = len(host.disk.operations)
            host.crash(aftermath)
            host.start()
        except AgentError:  # the disk did not even let the agent start, or look
            host.start()
    return operations or len(host.disk.operations)


def settle(host: AgentHost) -> None:
    """Let the agent run on a healthy day until nothing waits."""
    for _ in range(3):
        host.run(after_s=1200)
    assert host.spool.waiting() == []


def check_laws(host: AgentHost) -> None:
    """Nothing promised is lost, no number has two contents, the chain explains itself."""
    stored = {token: kept.claims for token, kept in host.collector.kept.items()}
    refused = {item.token for claims in stored.values() for item in claims.refused}
    by_seq: dict[int, str] = {}
    for token, claims in stored.items():
        assert by_seq.setdefault(claims.seq, token) == token, f"{claims.seq} has two contents"
    lost = {
        seq for token, seq in host.promised.items() if token not in stored and token not in refused
    }
    assert lost == set()
    known: dict[str, int] = {NO_PREVIOUS: 0}
    known |= {token: claims.seq for token, claims in stored.items()}
    known |= {item.token: item.seq for claims in stored.values() for item in claims.refused}
    for claims in stored.values():
        assert known.get(claims.prev) == claims.seq - 1


def operations_of_a_life() -> int:
    """Return how many disk operations the story takes when nothing goes wrong."""
    return live(AgentHost(), None, lambda: True)


TOTAL = operations_of_a_life()


@pytest.mark.parametrize("aftermath", AFTERMATHS)
@pytest.mark.parametrize("mode", [Mode.KILL_BEFORE, Mode.KILL_AFTER, Mode.TORN])
def test_a_crash_at_any_disk_operation_loses_and_doubles_nothing(
    mode: Mode, aftermath: str
) -> None:
    """Whatever the process was doing when it died, every promised report arrives, once."""
    for number in range(1, TOTAL + 1):
        host = AgentHost()
        live(host, Fault(number=number, mode=mode), AFTERMATHS[aftermath]())
        settle(host)
        check_laws(host)


@pytest.mark.parametrize("mode", [Mode.ERROR_BEFORE, Mode.ERROR_AFTER])
def test_an_error_of_any_disk_operation_loses_and_doubles_nothing(mode: Mode) -> None:
    """A disk that fails once costs at most a skipped scan, which is counted."""
    for number in range(1, TOTAL + 1):
        host = AgentHost()
        live(host, Fault(number=number, mode=mode), lambda: True)
        settle(host)
        check_laws(host)
