"""Everything that takes two persons, held to the same attacks, in one table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from chipledger_book.events import Correction, encode_event, event_id
from chipledger_book.events import Role as BookRole
from chipledger_book.movements import SignedOff
from chipledger_evidence.codec import encode_canonical
from chipledger_server.adapters.ledger import SqlLedger
from chipledger_server.adapters.proposals import SqlProposals
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.book.entry import Speaker, enter
from chipledger_server.usecases.book.standing import agree
from chipledger_server.usecases.people import (
    Hand,
    NewPrincipal,
    add_principal,
    authenticate,
    revoke_principal,
)
from chipledger_server.usecases.proposals import Wanted, Wish, approve, propose
from chipledger_server.usecases.refusals import Refusal
from chipledger_testing.book import TABLES, declared, ms, received, site_of
from chipledger_testing.casework import SITE, Casework
from chipledger_testing.closing import NAME, QUARTER, freezes, period
from chipledger_testing.door import PROPOSAL_TTL_S, Door
from chipledger_testing.keys import SeededSigner
from chipledger_testing.scene import Scene

JSON: Final = "application/json"
PAPER: Final = received(8, at=ms(2026, 2), shipment="DN-1")
WRONG: Final = received(4, at=ms(2026, 2), shipment="DN-2")
UNDO: Final = Correction(
    occurred_at_ms=ms(2026, 5), corrects=event_id(WRONG), reason="entered twice"
)
KEY: Final = SeededSigner("a shipper's key")
OK: Final = "ok"


class Office(Casework):
    """A collector with people, a site with a host, a finding, two receipts and a frozen quarter."""

    def setting(self) -> None:
        """Prepare what the rules are about."""
        self.tokens["rita"] = self.scene.token("rita", Role.ADMINISTRATOR)
        self.tokens["theo"] = self.scene.token("theo", Role.ADMINISTRATOR)
        self.finding = self.opened()
        self.machine = self.scene.host("johor", "one").id
        self.frozen = freezes(self.scene).digest

    def send(self, who: str, path: str, body: Any) -> tuple[str, Any]:  # noqa: ANN401 - JSON
        """Send something as somebody; return its code, or ``ok``, and the answer."""
        self.scene.now_ms += 1000
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        answer = self.door.send(path, data, token=self.tokens[who], kind=JSON)
        found = answer.json() if answer.content else {}
        return (OK, found) if answer.is_success else (str(found["code"]), found)

    def revoke(self, who: str) -> None:
        """Revoke somebody."""
        revoke_principal(who, self.scene.people, self.scene.hand(), reason="left")

    def hand(self, who: str) -> Hand:
        """Return the hand of a principal."""
        self.scene.now_ms += 1000
        return replace(self.scene.hand(), principal=who)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPersons:
    """One thing that takes two persons.

    Attributes:
        first: who begins; second: who ends it.
        begin: the first step; gives the name of what waits, and the code.
        end: the second step.
        done: whether it is so.
        expires: whether what waits does so for a time only.
        outlives: whether the first word stands in the ledger, where revoking takes nothing back.
        alone: the code for the first person in the second step.
    """

    name: str
    first: str
    second: str
    begin: Callable[[Office, str], str]
    end: Callable[[Office, str, str], str]
    done: Callable[[Office, str], bool]
    expires: bool = True
    outlives: bool = False
    alone: str = "same-person"


def _loads(office: Office, who: str) -> str:
    from chipledger_book import shipped  # noqa: PLC0415 - beside its only use

    table = msgspec.json.decode(encode_canonical(shipped.rule_set_2025()))
    table["head"]["version"] = "2026-11-24.1"
    code, made = office.send(who, "/rules/proposals", {"table": table, "reason": "law"})
    assert code == OK, made
    return str(made["id"])


def _approves(office: Office, who: str, key: str) -> str:
    return office.send(who, f"/rules/proposals/{key}/approve", {})[0]


def _holds(office: Office, _key: str) -> bool:
    items = office.door.read("/rules")["items"]
    return any(one["holds"] and one["version"] == "2026-11-24.1" for one in items)


def _proposes_key(office: Office, who: str) -> str:
    wanted = {
        "jwk": msgspec.json.decode(encode_canonical(KEY.public.jwk)),
        "party": "vendor-x",
        "roles": ["shipper"],
        "sites": [SITE],
        "reason": "letter",
    }
    code, made = office.send(who, "/party-keys", wanted)
    assert code == OK, made
    return str(made["id"])


def _lets_in(office: Office, who: str, key: str) -> str:
    return office.send(who, f"/party-keys/{key}/approval", {})[0]


def _is_in(office: Office, key: str) -> bool:
    return any(
        one["id"] == key and one["state"] == "valid"
        for one in office.door.read("/party-keys")["items"]
    )


def _proposes_host(office: Office, who: str) -> str:
    wanted = Wanted(wish=Wish.RETIRE, host=office.machine, reason="sold")
    store, hand = SqlProposals(office.scene.engine), office.hand(who)
    known = authenticate(office.tokens[who], office.scene.people, now_ms=hand.now_ms)
    return propose(wanted, store, hand, known, ttl_s=PROPOSAL_TTL_S).id


def _approves_host(office: Office, who: str, key: str) -> str:
    store, hand = SqlProposals(office.scene.engine), office.hand(who)
    try:
        known = authenticate(office.tokens[who], office.scene.people, now_ms=hand.now_ms)
        approve(key, store, hand, known, ttl_s=PROPOSAL_TTL_S)
    except Refusal as refusal:
        return str(refusal.code)
    return OK


def _retired(office: Office, key: str) -> bool:
    proposals = SqlProposals(office.scene.engine).proposals()
    return any(one.id == key and one.approved is True for one in proposals)


def _closes_case(office: Office, who: str) -> str:
    path = f"/findings/{office.finding}/actions"
    code, found = office.send(who, path, {"action": "close", "reason": "seen"})
    assert code == OK, found
    return office.finding


def _confirms(office: Office, who: str, key: str) -> str:
    return office.send(who, f"/findings/{key}/actions", {"action": "confirm"})[0]


def _is_closed(office: Office, key: str) -> bool:
    return office.state(key) == "closed"


def _corrects(office: Office, who: str) -> str:
    code, found = office.send(who, "/ledger/events", encode_event(UNDO))
    assert code == OK, found
    return event_id(UNDO)


def _agrees(office: Office, who: str, key: str) -> str:
    role = {"olga": "operator", "ada": "auditor", "bert": "auditor"}.get(who, "collector")
    return office.send(who, f"/ledger/events/{key}/statements", {"role": role})[0]


def _is_undone(office: Office, _key: str) -> bool:
    (row,) = office.door.read("/sites/johor/balance")["report"]["rows"]
    return bool(row["received"] == 8)


def _signs_first(office: Office, who: str) -> str:
    code, found = _signs(office, who, office.frozen)
    assert code == OK, found
    return office.frozen


def _signs(office: Office, who: str, key: str) -> tuple[str, Any]:
    return office.send(who, f"/sites/johor/periods/{NAME}/sign-off", {"digest": key})


def _closed(office: Office, _key: str) -> bool:
    return period(office.scene).stage == "closed"


TABLE: Final = (
    TwoPersons(name="rules", first="rita", second="ada", begin=_loads, end=_approves, done=_holds),
    TwoPersons(
        name="party key", first="rita", second="ada", begin=_proposes_key, end=_lets_in, done=_is_in
    ),
    TwoPersons(
        name="host",
        first="rita",
        second="theo",
        begin=_proposes_host,
        end=_approves_host,
        done=_retired,
    ),
    TwoPersons(
        name="case",
        first="ada",
        second="bert",
        begin=_closes_case,
        end=_confirms,
        done=_is_closed,
        alone="case-second-person",
    ),
    TwoPersons(
        name="correction",
        first="olga",
        second="ada",
        begin=_corrects,
        end=_agrees,
        done=_is_undone,
        expires=False,
        outlives=True,
    ),
    TwoPersons(
        name="period",
        first="olga",
        second="ada",
        begin=_signs_first,
        end=lambda office, who, key: _signs(office, who, key)[0],
        done=_closed,
        expires=False,
        outlives=True,
        alone="already-answered",
    ),
)
each = pytest.mark.parametrize("rule", TABLE, ids=lambda rule: rule.name)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Return a collector where everything of the table can be begun."""
    scene = Scene(tmp_path)
    scene.enter(declared(), declared(site_of("penang")), PAPER, WRONG)
    made = Office(scene, Door(scene))
    made.setting()
    yield made
    scene.close()


@each
def test_a_second_person_makes_it_so(office: Office, rule: TwoPersons) -> None:
    """And one alone does not; deciding again changes nothing."""
    key = rule.begin(office, rule.first)
    before = rule.done(office, key)
    answer = rule.end(office, rule.second, key)

    assert (before, answer, rule.done(office, key)) == (False, OK, True)
    rule.end(office, rule.second, key)
    assert rule.done(office, key)


@each
def test_one_person_is_not_two(office: Office, rule: TwoPersons) -> None:
    """The account that began it does not end it, with a new token neither."""
    key = rule.begin(office, rule.first)

    assert rule.end(office, rule.first, key) == rule.alone
    assert not rule.done(office, key)


@each
def test_who_is_revoked_between_the_steps_ends_nothing(office: Office, rule: TwoPersons) -> None:
    """The token of the second person is no longer taken."""
    key = rule.begin(office, rule.first)
    office.revoke(rule.second)

    assert rule.end(office, rule.second, key) == "unauthenticated"
    assert not rule.done(office, key)


@each
def test_what_a_revoked_person_began_is_ended_by_nobody(office: Office, rule: TwoPersons) -> None:
    """A proposal falls with its proposer; a word in the ledger stands, as the log says whose."""
    key = rule.begin(office, rule.first)
    office.revoke(rule.first)

    assert rule.end(office, rule.second, key) == (OK if rule.outlives else "proposer-revoked")
    assert rule.done(office, key) is rule.outlives


@each
def test_a_proposal_waits_for_its_time_only(office: Office, rule: TwoPersons) -> None:
    """From the last moment on nobody ends it; a word in the ledger has no end."""
    key = rule.begin(office, rule.first)
    office.scene.now_ms += PROPOSAL_TTL_S * 1000

    assert rule.end(office, rule.second, key) == ("proposal-expired" if rule.expires else OK)
    assert rule.done(office, key) is not rule.expires


@each
def test_nobody_gets_another_role_under_the_same_name(office: Office, rule: TwoPersons) -> None:
    """A role never changes: not while the account stands, and not after it is revoked."""
    rule.begin(office, rule.first)
    office.revoke(rule.first)
    new = NewPrincipal(name=rule.first, role=Role.AUDITOR, sites=None)

    with pytest.raises(Refusal) as caught:
        add_principal(new, office.scene.people, office.hand("rita"))
    assert caught.value.code == "name-taken"


@pytest.mark.parametrize("name", ["local:0", "local", "collector", "init", " rita", "rita "])
def test_no_account_has_a_name_of_the_collector_itself(office: Office, name: str) -> None:
    """What the log says of the machine's administrator and of the collector is theirs."""
    new = NewPrincipal(name=name, role=Role.AUDITOR, sites=None)

    with pytest.raises(Refusal) as caught:
        add_principal(new, office.scene.people, office.hand("rita"))
    assert caught.value.code == "invalid-parameter"


def test_the_accounts_of_the_machine_are_one_person_for_a_correction(office: Office) -> None:
    """Proposed as one user, agreed to as root: still one; an auditor's token is another."""
    ledger = SqlLedger(office.scene.engine)
    enter(UNDO, ledger, TABLES, office.hand("local:1000"))
    with pytest.raises(Refusal) as caught:
        agree(event_id(UNDO), ledger, office.hand("local:0"), carrier=None)

    assert caught.value.code == "same-person"
    assert not _is_undone(office, "")
    assert _agrees(office, "ada", event_id(UNDO)) == OK
    assert _is_undone(office, "")


def test_the_accounts_of_the_machine_are_one_person_for_a_period(office: Office) -> None:
    """Both sign-offs entered on the machine, as two users, close nothing."""
    ledger = SqlLedger(office.scene.engine)
    for user, role in (("local:1000", "operator"), ("local:0", "auditor")):
        hand = office.hand(user)
        event = SignedOff(
            occurred_at_ms=hand.now_ms,
            site=SITE,
            first_day=QUARTER[0],
            last_day=QUARTER[1],
            role="auditor" if role == "auditor" else "operator",
            balance=office.frozen,
        )
        enter(event, ledger, TABLES, hand, speaker=Speaker(role=BookRole(role), party=None))

    assert period(office.scene).stage == "signed"
