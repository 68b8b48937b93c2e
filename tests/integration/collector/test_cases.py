"""Cases under the sequencer: one for a fact that comes and goes, kept by a replay."""

import pytest

from chipledger_book.cases import Action
from chipledger_book.terms import Document
from chipledger_server.adapters.case_desk import SqlCases
from chipledger_server.adapters.people import SqlPeople
from chipledger_server.usecases.access import Principal, Role
from chipledger_server.usecases.cases import Wanted, act
from chipledger_server.usecases.people import Hand, NewPrincipal, add_principal
from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.scene import CountedEntropy

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS


class Person:
    """Somebody who acts on the findings of a collector."""

    def __init__(self, inside: CollectorInside, name: str, role: Role) -> None:
        self._inside = inside
        self._entropy = CountedEntropy(name)
        sites = frozenset({"ams-1"}) if role is Role.OPERATOR else None
        new = NewPrincipal(name=name, role=role, sites=sites)
        self._who: Principal = add_principal(new, SqlPeople(inside.engine), self._hand()).principal

    def act(self, action: Action, **said: object) -> None:
        """Take a step of the only finding."""
        ((key,),) = self._inside.rows("SELECT id FROM findings")
        wanted = Wanted(finding=key, action=action, **said)  # type: ignore[arg-type]
        act(wanted, SqlCases(self._inside.engine), self._hand(), self._who, ttl_s=DAY_MS)
        self._inside.step()

    def _hand(self) -> Hand:
        return Hand(principal="local:0", now_ms=self._inside.clock.ms, entropy=self._entropy)


@pytest.fixture
def olga(inside: CollectorInside) -> Person:
    """Return an operator."""
    return Person(inside, "olga", Role.OPERATOR)


def state(inside: CollectorInside) -> list[tuple[str, int | None]]:
    """Return the newest state and end of every case."""
    return inside.rows("SELECT state, expires_ms FROM cases WHERE until_ms IS NULL")


def explained(inside: CollectorInside, olga: Person) -> int:
    """Bring a silent host's finding to explained, and return when that ends."""
    ends_ms = inside.clock.ms + 2 * DAY_MS
    olga.act(
        Action.EXPLAIN,
        reason="power works until tomorrow",
        evidence=(Document(sha256="a" * 64),),
        expires_ms=ends_ms,
    )
    assert state(inside) == [("explained", ends_ms)]
    return ends_ms


def test_a_host_that_falls_silent_again_is_the_same_case(inside: CollectorInside) -> None:
    """One finding for one fact: it is resolved, and opens again under its id."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    inside.pass_time(4 * HOUR_MS)
    ((key,),) = inside.rows("SELECT id FROM findings")
    inside.report(inside.heartbeat(host))
    assert state(inside) == [("resolved", None)]
    inside.pass_time(4 * HOUR_MS)
    assert inside.rows("SELECT id, state FROM findings") == [(key, "open")]
    assert state(inside) == [("open", None)]


def test_the_collector_writes_down_that_an_explanation_has_ended(
    inside: CollectorInside, olga: Person
) -> None:
    """Once, in the log, when it next looks."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    inside.pass_time(4 * HOUR_MS)
    explained(inside, olga)
    inside.pass_time(3 * DAY_MS)
    inside.pass_time(HOUR_MS)
    assert state(inside) == [("open", None)]
    records = inside.rows("SELECT record FROM records WHERE type = 'case'")
    assert sum(b'"expired"' in record for (record,) in records) == 1


def test_a_replay_of_the_log_keeps_what_people_did(inside: CollectorInside, olga: Person) -> None:
    """Everything derived can be lost: findings, cases and their ends are in the log."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    inside.pass_time(4 * HOUR_MS)
    explained(inside, olga)
    inside.pass_time(3 * DAY_MS)
    olga.act(Action.ACKNOWLEDGE)
    inside.report(inside.heartbeat(host))
    inside.pass_time(4 * HOUR_MS)
    before = inside.derived()
    assert len(before["cases"]) == 5  # what happens in one millisecond shares a row
    inside.replay()
    assert inside.derived() == before
    inside.restart()


def test_every_finding_is_a_case(inside: CollectorInside) -> None:
    """Every finding has a newest case row, whatever opened it."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    inside.pass_time(4 * HOUR_MS)
    ((many,),) = inside.rows(
        "SELECT count(*) FROM findings f JOIN cases c ON c.finding = f.id AND c.until_ms IS NULL"
    )
    assert many == len(inside.findings())
