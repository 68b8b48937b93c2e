"""What two people decide of a host, from their desk to the fold, with and without a TPM."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chipledger_agent.cycle.enrol import rotate
from chipledger_agent.domain.failures import CollectorRefused, CollectorUnavailable
from chipledger_evidence.activation import ActivationChallenge
from chipledger_evidence.enrolment import Enrolment
from chipledger_server.adapters.proposals import SqlProposals
from chipledger_server.usecases.access import Principal, Role
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.proposals import (
    Decided,
    Proposal,
    Wanted,
    Wish,
    approve,
    decline,
    propose,
)
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_testing.collector_inside import CollectorInside, CountingEntropy
from chipledger_testing.commands import CONFIG, Commands
from chipledger_testing.tpm_host import InsideClock, InsideCollector, TpmHost, applicant

if TYPE_CHECKING:
    from chipledger_testing.swtpm import SoftwareTpm

Plug = Callable[..., "SoftwareTpm"]


def person(name: str, role: Role = Role.ADMINISTRATOR) -> Principal:
    """Return a principal; operators are those of ams-1."""
    sites = frozenset({"ams-1"}) if role is Role.OPERATOR else None
    return Principal(id=f"p-{name}", name=name, role=role, sites=sites, created_ms=0)


ANNA, BEN = person("anna"), person("ben")
OLGA, AUDREY = person("olga", Role.OPERATOR), person("audrey", Role.AUDITOR)


class SetAside(InsideCollector):
    """A way to the collector on which a rotation is caught, and does not arrive."""

    def rotate(self, request: bytes) -> Enrolment | ActivationChallenge:  # type: ignore[explicit-override] # typing.override needs Python 3.12
        """Keep the request."""
        self.said["rotate"] = request
        raise CollectorUnavailable("collector-unreachable", "caught on the way")


@dataclass
class TwoPeople:
    """A desk at which somebody proposes and somebody else approves."""

    inside: CollectorInside

    def __post_init__(self) -> None:
        self.store = SqlProposals(self.inside.engine)
        self.ttl_s = self.inside.config.policy.proposal_ttl_s
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
        return propose(wanted, self.store, self.hand, who, ttl_s=self.ttl_s).id

    def approve(self, proposal: str, *, who: Principal = BEN) -> Decided:
        """Approve a proposal."""
        return approve(proposal, self.store, self.hand, who, ttl_s=self.ttl_s)

    def decline(self, proposal: str, *, who: Principal = BEN) -> Proposal:
        """Decline a proposal."""
        return decline(proposal, self.store, self.hand, who, ttl_s=self.ttl_s, reason="not yet")

    def agree(self, host: str, wish: Wish, *, site: str | None = None) -> str | None:
        """Propose and approve; return the code of a replacement."""
        done = self.approve(self.propose(host, wish, site=site))
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


@pytest.mark.parametrize("way", [1, -1], ids=["too-old", "too-new"])
def test_a_rotation_has_its_time(inside: CollectorInside, host: TpmHost, way: int) -> None:
    """A request signed too far from the collector's clock lets nobody in; the key stays."""
    signed_ms, old = inside.clock.ms, host.key.signer.public.kid
    host.door = SetAside(inside)
    with pytest.raises(CollectorUnavailable):
        host.rotate()
    inside.clock.ms = signed_ms + way * (inside.config.policy.rotation_ttl_s + 1) * 1000
    with pytest.raises(CollectorRefused, match="rotation-expired"):
        InsideCollector(inside).rotate(host.door.said["rotate"])
    assert inside.rows("SELECT kid FROM host_keys WHERE revoked_ms IS NULL") == [(old,)]
    inside.clock.ms = signed_ms + way * inside.config.policy.rotation_ttl_s * 1000
    InsideCollector(inside).rotate(host.door.said["rotate"])
    assert inside.rows("SELECT 1 FROM host_keys WHERE kid = ? AND revoked_ms IS NULL", old) == []


def test_a_rotation_is_answered_again_in_its_time_alone(
    inside: CollectorInside, host: TpmHost
) -> None:
    """The same answer after a lost one; later the agent's new request for the same key gets it."""
    host.door.lose = [True]
    with pytest.raises(CollectorUnavailable):
        host.rotate()
    said, signed_ms = host.door.said["rotate"], inside.clock.ms
    first = host.door.rotate(said)
    assert host.door.rotate(said) == first
    inside.clock.ms = signed_ms + (inside.config.policy.rotation_ttl_s + 1) * 1000
    with pytest.raises(CollectorRefused, match="rotation-expired"):
        host.door.rotate(said)
    assert isinstance(first, Enrolment)
    assert host.rotate().kid == first.kid
    assert len(inside.rows("SELECT 1 FROM host_keys")) == 2


def test_nobody_agrees_with_himself(people: TwoPeople, host: TpmHost) -> None:
    """Who proposed cannot approve."""
    proposal = people.propose(name_of(host), Wish.RETIRE)
    with pytest.raises(Refusal) as caught:
        people.approve(proposal, who=ANNA)
    assert caught.value.code is Code.SAME_PERSON


@pytest.mark.parametrize("who", [OLGA, AUDREY], ids=["operator", "auditor"])
def test_roles_keep_to_their_step(people: TwoPeople, host: TpmHost, who: Principal) -> None:
    """Operators propose for their sites and approve nothing; auditors the other way round."""
    if who is AUDREY:
        with pytest.raises(Refusal, match="forbidden"):
            people.propose(name_of(host), Wish.RETIRE, who=AUDREY)
        proposal = people.propose(name_of(host), Wish.RETIRE, who=OLGA)
        assert people.approve(proposal, who=AUDREY).proposal.approved
    else:
        proposal = people.propose(name_of(host), Wish.RETIRE)
        with pytest.raises(Refusal, match="forbidden"):
            people.approve(proposal, who=OLGA)


def test_a_proposal_is_decided_once(people: TwoPeople, host: TpmHost) -> None:
    """A declined proposal cannot be approved, and a host has one open proposal at most."""
    proposal = people.propose(name_of(host), Wish.RETIRE)
    with pytest.raises(Refusal, match="already-proposed"):
        people.propose(name_of(host), Wish.REPLACE)
    people.decline(proposal)
    with pytest.raises(Refusal, match="already-decided"):
        people.approve(proposal)


def test_a_proposal_has_its_time(people: TwoPeople, host: TpmHost) -> None:
    """What waited too long is neither approved nor declined, stays as it was, and blocks nothing.

    It is shown as expired.
    """
    name = name_of(host)
    first = people.propose(name, Wish.RETIRE)
    (kept,) = people.store.proposals()
    people.inside.clock.ms += people.ttl_s * 1000 - 1
    assert not kept.expired(people.hand.now_ms, ttl_s=people.ttl_s)
    people.inside.clock.ms += 1
    assert kept.expired(people.hand.now_ms, ttl_s=people.ttl_s)
    with pytest.raises(Refusal) as caught:
        people.approve(first)
    assert caught.value.code is Code.PROPOSAL_EXPIRED
    with pytest.raises(Refusal, match="proposal-expired"):
        people.decline(first)
    assert list(people.store.proposals()) == [kept]
    assert host.report().stored
    second = people.propose(name, Wish.RETIRE)
    assert people.approve(second).proposal.approved
    assert kept in people.store.proposals()


def test_the_list_shows_what_expired(people: TwoPeople, host: TpmHost) -> None:
    """Beside what waits, in the table and in JSON."""
    now_ms = people.inside.clock.ms
    people.inside.clock.ms = 1_000
    expired = people.propose(name_of(host), Wish.RETIRE)
    people.inside.clock.ms = now_ms
    waits = people.propose(name_of(host), Wish.REPLACE)
    commands = Commands(people.inside.folder)
    text = CONFIG.format(folder=people.inside.folder)
    (people.inside.folder / "server.toml").write_text(text, "utf-8")
    shown = commands.answer("host", "proposals")
    assert {one["id"]: one["expired"] for one in shown} == {expired: True, waits: False}
    lines = commands.done("host", "proposals").splitlines()
    assert [line.split()[4] for line in lines[1:] if expired in line] == ["expired"]
    assert [line.split()[4] for line in lines[1:] if waits in line] == ["waits"]


def test_a_proposal_is_good_until_its_time(people: TwoPeople, host: TpmHost) -> None:
    """The last moment counts; what was decided in time does not expire."""
    proposal = people.propose(name_of(host), Wish.RETIRE)
    people.inside.clock.ms += people.ttl_s * 1000 - 1
    decided = people.approve(proposal).proposal
    assert decided.approved
    people.inside.clock.ms += 1
    assert not decided.expired(people.hand.now_ms, ttl_s=people.ttl_s)
    with pytest.raises(Refusal, match="already-decided"):
        people.approve(proposal)


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
def test_a_cleared_tpm_counts_anew_when_two_people_say_so(
    tmp_path: Path, inside: CollectorInside, people: TwoPeople, plug: Plug
) -> None:
    """Clearing takes its counters to zero: under the code of a replacement that is no sign."""
    tpm = plug("a")
    tpm.power_cycle()
    host = TpmHost(tmp_path / "a", inside, tpm.tcti)
    name = host.enrol(inside.make_code("a")).host
    host.report()
    tpm.clear()
    (host.folder / "tpm-key.json").unlink()
    host.enrolment = None
    code = people.agree(name, Wish.REPLACE)
    assert code is not None
    host.enrol(code)
    host.machine.boot_number += 1
    assert host.report().stored
    assert sum(token.claims.tpm is not None for token in inside.logged()) == 2
    assert inside.findings() == []


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
