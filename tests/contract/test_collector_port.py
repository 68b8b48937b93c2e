"""What every collector promises an agent (docs/WIRE.md section 6), whatever it is made of.

A further implementation is one more builder in :data:`WORLDS`. None may need its clock moved.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from chipledger_agent.adapters.clock import SystemClock
from chipledger_agent.adapters.collector_http import Endpoint, HttpCollector
from chipledger_agent.domain.failures import CollectorRefused
from chipledger_agent.ports import Collector
from chipledger_evidence.activation import ACTIVATION_TYP, Activation
from chipledger_evidence.answers import ChallengeRequest, RefusedToken, ReportAnswer, Stored
from chipledger_evidence.claims import EvidenceRef
from chipledger_evidence.compact import sign_statement
from chipledger_evidence.enrolment import Enrolment, EnrolmentRequest, KeyTier, sign_enrolment
from chipledger_evidence.ids import NO_PREVIOUS, TokenId, sha256_b64, ueid
from chipledger_evidence.inventory import inventory_digest
from chipledger_evidence.rotation import KeyRequest, sign_rotation
from chipledger_evidence.token import Token, sign_token
from chipledger_testing.claims import full_report, heartbeat, inventory
from chipledger_testing.collector import SimulatedCollector
from chipledger_testing.collector_http import served
from chipledger_testing.collector_process import running
from chipledger_testing.keys import SeededSigner, high_s_twin

SITE = "kul-1"
KEYS = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A collector with a test site, and a source of enrolment codes for it."""

    collector: Collector
    new_code: Callable[[], str]


@contextmanager
def simulated() -> Iterator[World]:
    """The collector that unit tests use."""
    collector = SimulatedCollector(SystemClock())
    numbers = count(1)
    yield World(
        collector=collector, new_code=lambda: collector.give_code(SITE, number=next(numbers))
    )


@contextmanager
def over_http() -> Iterator[World]:
    """The same behind a socket, reached by the agent's own client."""
    with simulated() as world, served(world.collector) as url:
        endpoint = Endpoint(url=url, pin=None, proxy="", connect_timeout_s=5, answer_timeout_s=10)
        client = HttpCollector(endpoint, clock=SystemClock())
        yield World(collector=client, new_code=world.new_code)
        client.close()


@contextmanager
def service() -> Iterator[World]:
    """The real collector as a process, reached by the agent's own client."""
    with TemporaryDirectory() as folder, running(Path(folder)) as process:
        process.declare_site(SITE, test_site=True)
        endpoint = Endpoint(
            url=f"http://127.0.0.1:{process.port}",
            pin=None,
            proxy="",
            connect_timeout_s=5,
            answer_timeout_s=10,
        )
        client = HttpCollector(endpoint, clock=SystemClock())
        numbers = count(1)
        yield World(
            collector=client,
            new_code=lambda: process.make_code(f"contract {next(numbers)}", site=SITE),
        )
        client.close()


WORLDS = {"simulated": simulated, "over-http": over_http, "service": service}


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Give one collector after the other; each test enrols a host of its own there."""
    with WORLDS[request.param]() as made:
        yield made


class Host:
    """A host that signs by hand, so that it can also sign what no agent would."""

    def __init__(self, world: World, *, alg: str = "ES256") -> None:
        self.signer = SeededSigner(f"contract {next(KEYS)}", alg=alg)
        self.collector = world.collector
        self.code = world.new_code()
        self.enrolment = self.enrol()
        self.epoch = self.enrolment.epoch
        self.seq = 0
        self.prev = NO_PREVIOUS

    def enrol(self, code: str | None = None) -> Enrolment:
        """Ask for enrolment."""
        request = EnrolmentRequest(
            code=code or self.code,
            iat=SystemClock().now_s(),
            jwk=self.signer.public.jwk,
            provider="mock",
            tier=KeyTier.SOFTWARE,
            ueid=ueid("host", self.signer.public.kid.encode()),
        )
        enrolment = self.collector.enrol(sign_enrolment(request, self.signer))
        assert isinstance(enrolment, Enrolment)
        return enrolment

    def rotation(self, following: SeededSigner, *, by: SeededSigner | None = None) -> bytes:
        """Return a request that lets the next key in."""
        request = KeyRequest(
            host=self.enrolment.host,
            iat=SystemClock().now_s(),
            jwk=following.public.jwk,
            previous=self.enrolment.kid,
            tier=KeyTier.SOFTWARE,
        )
        return sign_rotation(request, new=following, old=by or self.signer)

    def report(
        self,
        *,
        full: bool = False,
        nonce: str = "",
        chips: int = 8,
        evidence: tuple[EvidenceRef, ...] = (),
    ) -> Token:
        """Sign the next report of the chain."""
        self.seq += 1
        seen = inventory(chips=chips, provider="mock")
        claims = {
            "eat_nonce": nonce or self.epoch,
            "host": self.enrolment.host,
            "site": self.enrolment.site,
            "iat": SystemClock().now_s(),
            "seq": self.seq,
            "prev": self.prev,
            "inv": inventory_digest(seen),
            "evidence": evidence,
        }
        make = full_report(inventory=seen, **claims) if full else heartbeat(**claims)
        token = sign_token(make, self.signer)
        self.prev = token.identity
        return token

    def challenge(self) -> str:
        """Return a nonce."""
        return self.collector.challenge(self.challenge_request()).nonce

    def challenge_request(self) -> ChallengeRequest:
        """Return the request for a nonce."""
        return ChallengeRequest(host=self.enrolment.host, kid=self.enrolment.kid)

    def send(self, *tokens: Token) -> ReportAnswer:
        """Deliver reports."""
        answer = self.collector.deliver(tokens)
        self.epoch = answer.epoch
        return answer


@pytest.fixture
def host(world: World) -> Host:
    """Return an enrolled host."""
    return Host(world)


def only(answer: ReportAnswer) -> Stored | RefusedToken:
    """Return the one result."""
    (result,) = answer.results
    return result


def test_enrolment_asked_again_is_answered_the_same(host: Host) -> None:
    """A lost answer costs nothing."""
    assert host.enrol() == host.enrolment
    assert host.enrolment.site == SITE
    assert host.enrolment.kid == host.signer.public.kid


def test_a_used_up_code_admits_no_other_key(world: World, host: Host) -> None:
    """Codes are counted."""
    other = Host(world)

    with pytest.raises(CollectorRefused):
        other.enrol(host.code)


def test_an_unknown_code_admits_nobody(host: Host) -> None:
    """Whatever it looks like."""
    with pytest.raises(CollectorRefused):
        host.enrol("ce-" + "a" * 32)


def test_the_present_key_lets_in_the_next(host: Host) -> None:
    """Same host, same chain, and a lost answer costs nothing."""
    host.send(host.report(full=True, nonce=host.challenge()))
    following = SeededSigner(f"contract {next(KEYS)}")
    body = host.rotation(following)
    rotated = host.collector.rotate(body)

    assert isinstance(rotated, Enrolment)
    assert (rotated.host, rotated.kid) == (host.enrolment.host, following.public.kid)
    again = host.collector.rotate(body)
    assert isinstance(again, Enrolment)
    assert (again.host, again.kid) == (rotated.host, rotated.kid)
    host.signer, host.enrolment = following, rotated
    assert isinstance(only(host.send(host.report(full=True, nonce=host.challenge()))), Stored)


def test_the_key_before_is_over(host: Host) -> None:
    """Once the next key was let in, nothing that the key before signs is taken."""
    host.collector.rotate(host.rotation(SeededSigner(f"contract {next(KEYS)}")))
    result = only(host.send(host.report()))

    assert isinstance(result, RefusedToken)
    assert result.code == "revoked-key"


def test_a_stranger_lets_nobody_in(host: Host) -> None:
    """Neither one that was never enrolled, nor one that signs in another's name."""
    stranger = SeededSigner("a stranger")
    with pytest.raises(CollectorRefused):
        host.collector.rotate(host.rotation(SeededSigner("next"), by=stranger))


def test_nobody_is_activated_who_was_not_challenged(host: Host) -> None:
    """The second step of an enrolment needs the first."""
    activation = Activation(attest="AA", proof=NO_PREVIOUS, session=NO_PREVIOUS, signature="A" * 86)
    with pytest.raises(CollectorRefused):
        host.collector.activate(sign_statement(activation, host.signer, typ=ACTIVATION_TYP))


def test_a_new_host_has_no_head(host: Host) -> None:
    """The first token continues nothing."""
    head = host.collector.challenge(host.challenge_request()).head

    assert (head.seq, head.token) == (0, NO_PREVIOUS)


def test_an_unknown_key_gets_no_challenge(host: Host) -> None:
    """Asking tells a stranger nothing but that."""
    request = ChallengeRequest(host=host.enrolment.host, kid=sha256_b64(b"nobody"))

    with pytest.raises(CollectorRefused) as caught:
        host.collector.challenge(request)

    assert caught.value.code == "unknown-key"


def test_a_challenged_full_report_is_stored(host: Host) -> None:
    """And becomes the head of the host's chain."""
    token = host.report(full=True, nonce=host.challenge())
    result = only(host.send(token))

    assert isinstance(result, Stored)
    assert result.freshness == "challenged"
    assert result.token == token.identity


@pytest.mark.parametrize("alg", ["ES256", "Ed25519"])
def test_heartbeats_echo_the_value_of_the_last_answer(world: World, alg: str) -> None:
    """One round trip, either algorithm."""
    host = Host(world, alg=alg)
    host.send(host.report(full=True, nonce=host.challenge()))
    result = only(host.send(host.report()))

    assert isinstance(result, Stored)
    assert result.freshness == "epoch"


def test_the_same_report_again_gets_the_same_answer(host: Host) -> None:
    """Storing is idempotent by identity."""
    token = host.report(full=True, nonce=host.challenge())

    assert host.send(token).results == host.send(token).results


def test_a_batch_is_answered_one_by_one_in_order(host: Host) -> None:
    """A bad report in the middle holds up no other."""
    first = host.report(full=True, nonce=host.challenge())
    foreign = host.report(nonce=sha256_b64(b"made up"))
    last = host.report()
    answer = host.send(first, foreign, last)

    assert [item.token for item in answer.results] == [
        first.identity,
        foreign.identity,
        last.identity,
    ]
    assert [type(item) for item in answer.results] == [Stored, RefusedToken, Stored]


def test_an_unknown_inventory_digest_is_answered_with_want_full(host: Host) -> None:
    """The collector asks for what it does not know."""
    host.send(host.report(full=True, nonce=host.challenge()))

    assert host.send(host.report()).want != "full"
    assert host.send(host.report(chips=7)).want == "full"


def test_a_foreign_nonce_is_refused(host: Host) -> None:
    """A value that was not made for this host proves nothing about time."""
    result = only(host.send(host.report(nonce=sha256_b64(b"made up"))))

    assert isinstance(result, RefusedToken)
    assert result.code == "foreign-nonce"


def test_a_challenge_is_good_for_one_report(host: Host) -> None:
    """The second echo is refused."""
    nonce = host.challenge()
    host.send(host.report(full=True, nonce=nonce))
    result = only(host.send(host.report(nonce=nonce)))

    assert isinstance(result, RefusedToken)
    assert result.code == "spent-nonce"


def test_a_challenge_for_evidence_lives_as_long_as_devices_take(host: Host) -> None:
    """Ten minutes instead of two."""
    request = host.challenge_request()
    evidence = host.collector.challenge(msgspec.structs.replace(request, purpose="evidence"))

    assert evidence.expires - host.collector.challenge(request).expires >= 400


def test_an_evidence_round_is_taken_once(host: Host) -> None:
    """Token and blobs in one request; the echo counts as a challenge and is single use."""
    request = msgspec.structs.replace(host.challenge_request(), purpose="evidence")
    host.send(host.report(full=True, nonce=host.challenge()))
    nonce = host.collector.challenge(request).nonce
    blob = b'{"not":"an envelope"}'
    named = EvidenceRef(bytes=len(blob), digest=sha256_b64(blob), kind="nvidia-spdm-1.1", chip=0)
    token = host.report(nonce=nonce, evidence=(named,))
    first = host.collector.deliver([token], [blob])

    result = only(first)
    assert isinstance(result, Stored)
    assert result.freshness == "challenged"
    assert only(host.collector.deliver([token], [blob])) == result
    again = only(host.send(host.report(nonce=nonce)))
    assert isinstance(again, RefusedToken)
    assert again.code == "spent-nonce"


def test_a_malleated_signature_is_refused(host: Host) -> None:
    """The high-s twin of a good signature is not a second good one."""
    token = host.report(full=True, nonce=host.challenge())
    twin = Token(header=token.header, payload=token.payload, signature=high_s_twin(token.signature))
    result = only(host.send(twin))

    assert isinstance(result, RefusedToken)
    assert result.code == "high-s-signature"


def test_a_report_of_an_unknown_key_is_refused(host: Host) -> None:
    """Even one that is well signed."""
    host.signer = SeededSigner("never enrolled")
    result = only(host.send(host.report()))

    assert isinstance(result, RefusedToken)
    assert result.code == "unknown-key"


def test_a_report_that_does_not_continue_the_chain_is_stored(host: Host) -> None:
    """A gap is a finding, not a reason to refuse evidence."""
    host.send(host.report(full=True, nonce=host.challenge()))
    host.seq += 5
    host.prev = TokenId(sha256_b64(b"unknown"))

    assert isinstance(only(host.send(host.report())), Stored)


def test_health_says_whether_reports_are_taken(host: Host) -> None:
    """And tells the collector's time."""
    assert host.collector.health().working
