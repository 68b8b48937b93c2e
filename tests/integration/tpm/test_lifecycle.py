"""What two people decide of a host, from their desk to the fold, with and without a TPM."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chipledger_agent.cycle.enrol import rotate
from chipledger_agent.domain.failures import CollectorRefused
from chipledger_server.adapters.proposals import SqlProposals
from chipledger_server.usecases.access import Principal, Role
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.proposals import Wanted, Wish, approve, decline, propose
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_testing.collector_inside import CollectorInside, CountingEntropy
from chipledger_testing.tpm_host import InsideClock, TpmHost, applicant

if TYPE_CHECKING:
    from chipledger_testing.swtpm import SoftwareTpm

Plug = Callable[..., "SoftwareTpm"]


def person(name: str, role: Role = Role.ADMINISTRATOR) -> Principal:
    """Return a principal; operators are those of ams-1."""
    sites = frozenset({"ams-1"}) if role is Role.OPERATOR else None
    return Principal(id=f"p-{name}", name=name, role=role, sites=sites, created_ms=0)


ANNA, BEN = person("anna"), person("ben")
OLGA, AUDREY = person("olga", Role.OPERATOR), person("audrey", Role.AUDITOR)


@dataclass
class TwoPeople:
    """A desk at which somebody proposes and somebody else approves."""

    inside: CollectorInside

    def __post_init__(self) -> None:
        self.store = SqlProposals(self.inside.engine)
        self._entropy = CountingEntropy()

    @property
    def hand(self) -> Hand:
        """Return the hand of the moment."""
        return Hand(principal="-", now_ms=self.inside.clock.ms, entropy=self._entropy)

    def propose(
        self, host: str, wish: Wish, *, who: Principal = ANNA, site: str | None = None
    ) -> str:
        """Propose, and return the proposal's id."""
        wanted = Wanted(wish=wish, host=host, reason="as the test asked", site=site)
        return propose(wanted, self.store, self.hand, who).id

    def agree(self, host: str, wish: Wish, *, site: str | None = None) -> str | None:
        """Propose and approve; return the code of a replacement."""
        done = approve(self.propose(host, wish, site=site), self.store, self.hand, BEN)
        self.inside.step()
        self.inside.keys.forget()
        return done.code


@pytest.fixture
def people(inside: CollectorInside) -> TwoPeople:
    """Return the desk."""
    return TwoPeople(inside)


@pytest.fixture
def host(tmp_path: Path, inside: CollectorInside) -> TpmHost:
    """Return a host with a software key that has reported."""
    host = TpmHost(tmp_path / "a", inside)
    host.enrol(inside.make_code("a"))
    host.report()
    return host


def name_of(host: TpmHost) -> str:
    """Return the id of an enrolled host."""
    assert host.enrolment is not None
    return host.enrolment.host


def test_a_report_of_the_key_before_does_not_stop_the_host(
    inside: CollectorInside, host: TpmHost
) -> None:
    """What still waits under the old key is put aside and named; the new key goes on."""
    host.door.deaf = True
    waiting = host.report().waiting
    assert waiting
    host.door.deaf = False
    host.rotate()
    outcome = host.report(after_s=7200)
    assert outcome.refused == ["revoked-key"] * waiting
    assert outcome.stored
    assert outcome.waiting == 0
    said = [refused for token in inside.logged() for refused in token.claims.refused]
    assert [refused.code for refused in said] == ["revoked-key"] * waiting


def test_a_rotation_cut_short_is_taken_up_again(inside: CollectorInside, host: TpmHost) -> None:
    """The key that the enrolment names is found where the crash left it, and put in its place."""
    host.rotate()
    (host.folder / "key.pem").rename(host.folder / "key.pem.next")
    assert host.report().stored
    assert (host.folder / "key.pem").exists()
    assert inside.findings() == []


def test_nobody_agrees_with_himself(people: TwoPeople, host: TpmHost) -> None:
    """Who proposed cannot approve."""
    proposal = people.propose(name_of(host), Wish.RETIRE)
    with pytest.raises(Refusal) as caught:
        approve(proposal, people.store, people.hand, ANNA)
    assert caught.value.code is Code.SAME_PERSON


@pytest.mark.parametrize("who", [OLGA, AUDREY], ids=["operator", "auditor"])
def test_roles_keep_to_their_step(people: TwoPeople, host: TpmHost, who: Principal) -> None:
    """Operators propose for their sites and approve nothing; auditors the other way round."""
    if who is AUDREY:
        with pytest.raises(Refusal, match="forbidden"):
            people.propose(name_of(host), Wish.RETIRE, who=AUDREY)
        proposal = people.propose(name_of(host), Wish.RETIRE, who=OLGA)
        assert approve(proposal, people.store, people.hand, AUDREY).proposal.approved
    else:
        proposal = people.propose(name_of(host), Wish.RETIRE)
        with pytest.raises(Refusal, match="forbidden"):
            approve(proposal, people.store, people.hand, OLGA)


def test_a_proposal_is_decided_once(people: TwoPeople, host: TpmHost) -> None:
    """A declined proposal cannot be approved, and a host has one open proposal at most."""
    proposal = people.propose(name_of(host), Wish.RETIRE)
    with pytest.raises(Refusal, match="already-proposed"):
        people.propose(name_of(host), Wish.REPLACE)
    decline(proposal, people.store, people.hand, BEN, reason="not yet")
    with pytest.raises(Refusal, match="already-decided"):
        approve(proposal, people.store, people.hand, BEN)


def test_a_retired_host_is_not_silent_and_not_heard(
    inside: CollectorInside, people: TwoPeople, host: TpmHost
) -> None:
    """Its timer stops, its keys end, what it said stays, and replaying the log gives the same."""
    people.agree(name_of(host), Wish.RETIRE)
    inside.pass_time(86_400_000)
    assert inside.findings() == []
    chips = inside.rows("SELECT chip FROM inventory_chips")
    assert chips
    assert host.report().failure == "revoked-key"
    before = inside.derived()
    inside.replay()
    assert inside.derived() == before
    assert inside.rows("SELECT chip FROM inventory_chips") == chips


def test_retiring_a_silent_host_ends_its_silence(
    inside: CollectorInside, people: TwoPeople, host: TpmHost
) -> None:
    """The finding is resolved by the decision, whose reason stands in the log."""
    inside.pass_time(86_400_000)
    assert "silent-host" in inside.findings()
    people.agree(name_of(host), Wish.RETIRE)
    assert "silent-host" not in inside.findings()


def test_a_host_moves_with_its_key(
    inside: CollectorInside, people: TwoPeople, host: TpmHost
) -> None:
    """Repeating the enrolment tells it its new site; what it showed before stays at the old one."""
    people.agree(name_of(host), Wish.MOVE, site="kul-1")
    assert host.enrol(inside.make_code_text("a")).site == "kul-1"
    assert host.report().stored
    sites = inside.rows("SELECT DISTINCT site FROM presence ORDER BY site")
    assert sites == [("ams-1",), ("kul-1",)]
    before = inside.derived()
    inside.replay()
    assert inside.derived() == before


def test_a_replacement_is_a_new_key_for_the_same_host(
    inside: CollectorInside, people: TwoPeople, host: TpmHost
) -> None:
    """The code of two people lets one new key in, and ends the ones before."""
    code = people.agree(name_of(host), Wish.REPLACE)
    assert code is not None
    name, old = name_of(host), host.key.signer.public.kid
    (host.folder / "key.pem").unlink()
    host.enrolment = None
    again = host.enrol(code)
    assert again.host == name
    assert again.kid != old
    assert host.report().stored
    assert inside.rows("SELECT kid FROM host_keys WHERE revoked_ms IS NULL") == [(again.kid,)]


@pytest.mark.tpm
def test_a_cleared_tpm_comes_back_by_a_replacement(
    tmp_path: Path, inside: CollectorInside, people: TwoPeople, plug: Plug
) -> None:
    """Same endorsement key, same host, new keys; without two people the TPM is taken already."""
    tpm = plug("a")
    host = TpmHost(tmp_path / "a", inside, tpm.tcti)
    name = host.enrol(inside.make_code("a")).host
    host.report()
    tpm.clear()
    (host.folder / "tpm-key.json").unlink()
    host.enrolment = None
    with pytest.raises(CollectorRefused, match="ek-of-another-host"):
        host.enrol(inside.make_code("b"))
    code = people.agree(name, Wish.REPLACE)
    assert code is not None
    assert host.enrol(code).host == name
    assert host.report().stored


@pytest.mark.tpm
def test_a_replaced_tpm_is_welcome_when_two_people_say_so(
    tmp_path: Path, inside: CollectorInside, people: TwoPeople, plug: Plug
) -> None:
    """Another endorsement key under the same host, by a replacement and by nothing else."""
    host = TpmHost(tmp_path / "a", inside, plug("a").tcti)
    name = host.enrol(inside.make_code("a")).host
    code = people.agree(name, Wish.REPLACE)
    assert code is not None
    other = TpmHost(tmp_path / "b", inside, plug("b").tcti)
    assert other.enrol(code).host == name
    assert inside.findings() == []


@pytest.mark.tpm
def test_a_replaced_tpm_rotates_its_keys_and_the_one_before_does_not_come_back(
    tmp_path: Path, inside: CollectorInside, people: TwoPeople, plug: Plug
) -> None:
    """What two people let in is the host's own TPM from then on; the former one is another."""
    former = TpmHost(tmp_path / "a", inside, plug("a").tcti)
    name = former.enrol(inside.make_code("a")).host
    code = people.agree(name, Wish.REPLACE)
    assert code is not None
    host = TpmHost(tmp_path / "b", inside, plug("b").tcti)
    host.enrol(code)
    assert host.rotate().host == name
    assert host.report().stored
    assert inside.findings() == []
    present = host.key
    own, host.tcti = host.tcti, former.tcti
    following = host.keyring.following(present)
    host.tcti = own
    assert host.enrolment is not None
    with pytest.raises(CollectorRefused, match="another-ek"):
        rotate(
            host.enrolment,
            present.signer,
            applicant(following),
            collector=host.door,
            clock=InsideClock(inside),
        )
    inside.step()
    assert inside.findings() == ["host-key-cloned"]
