"""Keys in TPMs, from the agent's TPM through the enrolments' doors to the record."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from chipledger_agent.domain.failures import AgentError, CollectorRefused, CollectorUnavailable
from chipledger_evidence.activation import ACTIVATION_TYP, Activation, ActivationChallenge
from chipledger_evidence.appraisal.attacks import Outcome, Result, Setup, expectations
from chipledger_evidence.codec import b64url_decode, b64url_encode
from chipledger_evidence.compact import read_statement, sign_statement
from chipledger_evidence.enrolment import Enrolment, EnrolmentRequest, KeyTier, sign_enrolment
from chipledger_server.usecases.keyring import HostEnrolled
from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.tpm_host import InsideCollector, TpmHost

if TYPE_CHECKING:
    from chipledger_testing.swtpm import SoftwareTpm, TpmMaker

pytestmark = pytest.mark.tpm

Plug = Callable[..., "SoftwareTpm"]


def record_of(inside: CollectorInside, host: str) -> HostEnrolled:
    """Return the record of a host's enrolment."""
    ((record,),) = inside.rows(
        "SELECT record FROM records WHERE subject = ? AND type = 'enrolment'", host
    )
    return msgspec.json.decode(record, type=HostEnrolled)


def test_a_tpm_of_a_known_maker_earns_the_best_tier(
    tmp_path: Path, inside: CollectorInside, plug: Plug, maker: "TpmMaker"
) -> None:
    """EK certificate against its pinned root, keys in one TPM, and the record says all of it."""
    host = TpmHost(tmp_path / "a", inside, plug("a").tcti)
    inside.ek_roots = (maker.root,)
    enrolment = host.enrol(inside.make_code("a"))
    assert enrolment.tier is KeyTier.TPM_EK
    record = record_of(inside, enrolment.host)
    assert record.tpm is not None
    assert (record.tpm.standing, record.tpm.vendor) == ("verified", "test")
    assert record.tpm.model == "id:00001014 swtpm id:20191023"
    assert record.ueid == host.key.ueid


def test_a_tpm_of_an_unknown_maker_is_trusted_on_first_use_only(
    tmp_path: Path, inside: CollectorInside, plug: Plug
) -> None:
    """A certificate of nobody pinned proves nothing; the key is in a TPM all the same."""
    host = TpmHost(tmp_path / "a", inside, plug("a").tcti)
    enrolment = host.enrol(inside.make_code("a"))
    assert enrolment.tier is KeyTier.TPM_NOEK
    record = record_of(inside, enrolment.host)
    assert record.tpm is not None
    assert record.tpm.standing == "unknown-issuer"
    assert record.tpm.certificate


def test_a_tpm_without_certificate_is_enrolled_by_its_p256_endorsement_key(
    tmp_path: Path, inside: CollectorInside, plug: Plug
) -> None:
    """The credential is shared by ECDH, and the record says that there is no certificate."""
    host = TpmHost(tmp_path / "a", inside, plug("a", vouched=False).tcti)
    enrolment = host.enrol(inside.make_code("a"))
    assert enrolment.tier is KeyTier.TPM_NOEK
    record = record_of(inside, enrolment.host)
    assert record.tpm is not None
    assert (record.tpm.standing, record.tpm.certificate) == ("absent", None)


def test_a_host_with_a_tpm_reports_and_quotes(
    tmp_path: Path, inside: CollectorInside, plug: Plug
) -> None:
    """Tokens signed by the TPM are stored; the first holds a quote, the next does not."""
    host = TpmHost(tmp_path / "a", inside, plug("a").tcti)
    host.enrol(inside.make_code("a"))
    assert host.report().stored
    assert quotes(inside) == 1
    host.report()
    assert quotes(inside) == 1
    assert inside.findings() == []


def test_every_step_may_be_repeated_when_its_answer_was_lost(
    tmp_path: Path, inside: CollectorInside, plug: Plug
) -> None:
    """A lost challenge, a lost enrolment: the same key gives the same host, with one record."""
    host = TpmHost(tmp_path / "a", inside, plug("a").tcti)
    code = inside.make_code("a")
    for lost in (1, 2):  # the challenge, then the enrolment itself
        host.door.lose = [False] * (lost - 1) + [True]
        with pytest.raises(CollectorUnavailable):
            host.enrol(code)
    again = host.enrol(code)
    assert again == host.enrol(code)
    assert inside.rows("SELECT id FROM hosts") == [(again.host,)]
    assert inside.rows("SELECT uses_left FROM enrolment_codes") == [(0,)]


def test_a_lost_answer_to_the_activation_is_given_again(
    tmp_path: Path, inside: CollectorInside, plug: Plug
) -> None:
    """The very same activation gets the very same enrolment."""
    host = TpmHost(tmp_path / "a", inside, plug("a").tcti)
    first = host.enrol(inside.make_code("a"))
    assert inside.enrolments().activate(host.door.said["activate"]) == first


def test_an_activation_that_failed_is_over(
    tmp_path: Path, inside: CollectorInside, plug: Plug
) -> None:
    """A wrong proof spends the challenge: the right one comes too late, and nothing is kept."""
    host = TpmHost(tmp_path / "a", inside, plug("a").tcti)
    code = inside.make_code("a")
    right: list[bytes] = []

    class Forging(InsideCollector):
        def activate(self, request: bytes) -> Enrolment:  # type: ignore[explicit-override] # typing.override needs Python 3.12
            right.append(request)
            said = read_statement(request, Activation, typ=ACTIVATION_TYP).said
            wrong = msgspec.structs.replace(said, proof=b64url_encode(bytes(32)))
            return super().activate(sign_statement(wrong, host.key.signer, typ=ACTIVATION_TYP))

    honest, host.door = host.door, Forging(inside)
    with pytest.raises(CollectorRefused, match="tpm-statement-mismatch"):
        host.enrol(code)
    host.door = honest
    with pytest.raises(CollectorRefused, match="activation-expired"):
        host.door.activate(right[0])
    assert inside.rows("SELECT 1 FROM hosts") == []
    assert host.enrol(code).host


def test_a_challenge_has_its_time(tmp_path: Path, inside: CollectorInside, plug: Plug) -> None:
    """Five minutes after it was given, a challenge is answered in vain."""
    host = TpmHost(tmp_path / "a", inside, plug("a").tcti)

    class Slow(InsideCollector):
        def activate(self, request: bytes) -> Enrolment:  # type: ignore[explicit-override] # typing.override needs Python 3.12
            inside.clock.ms += 300_000
            return super().activate(request)

    host.door = Slow(inside)
    with pytest.raises(CollectorRefused, match="activation-expired"):
        host.enrol(inside.make_code("a"))


def test_another_tpm_cannot_open_the_challenge(
    tmp_path: Path, inside: CollectorInside, plug: Plug
) -> None:
    """Who offers the endorsement key of another TPM does not get its secret."""
    victim = TpmHost(tmp_path / "victim", inside, plug("victim").tcti)
    thief = TpmHost(tmp_path / "thief", inside, plug("thief").tcti)
    stolen, own = victim.key.tpm, thief.key.tpm
    assert stolen is not None
    assert own is not None
    offer = msgspec.structs.replace(own.offer(), ek=stolen.offer().ek, certificate=None)
    inventory = thief.machine.inventory
    request = EnrolmentRequest(
        code=inside.make_code("a"),
        iat=0,
        jwk=own.public.jwk,
        provider=inventory.provider.kind,
        tier=own.tier,
        tpm=offer,
        ueid=stolen.ueid,
    )
    challenge = thief.door.enrol(sign_enrolment(request, own))
    assert isinstance(challenge, ActivationChallenge)
    with pytest.raises(AgentError, match="tpm-"):
        own.activate(b64url_decode(challenge.blob), b64url_decode(challenge.seed))


def test_a_key_that_could_sign_anything_attests_nothing(
    tmp_path: Path, inside: CollectorInside, plug: Plug
) -> None:
    """An attestation key that is not restricted could be made to say what no TPM said."""
    host = TpmHost(tmp_path / "a", inside, plug("a").tcti)
    tpm = host.key.tpm
    assert tpm is not None
    offer = tpm.offer()
    request = EnrolmentRequest(
        code=inside.make_code("a"),
        iat=0,
        jwk=tpm.public.jwk,
        provider="nvml",
        tier=tpm.tier,
        tpm=msgspec.structs.replace(offer, ak=offer.key),
        ueid=tpm.ueid,
    )
    with pytest.raises(CollectorRefused, match="tpm-key-attributes"):
        host.door.enrol(sign_enrolment(request, tpm))


def test_a_certificate_of_another_tpm_is_refused(
    tmp_path: Path, inside: CollectorInside, plug: Plug
) -> None:
    """A genuine EK certificate, of another endorsement key."""
    host = TpmHost(tmp_path / "a", inside, plug("a").tcti)
    other = TpmHost(tmp_path / "b", inside, plug("b").tcti)
    tpm, strange = host.key.tpm, other.key.tpm
    assert tpm is not None
    assert strange is not None
    request = EnrolmentRequest(
        code=inside.make_code("a"),
        iat=0,
        jwk=tpm.public.jwk,
        provider="nvml",
        tier=tpm.tier,
        tpm=msgspec.structs.replace(tpm.offer(), certificate=strange.offer().certificate),
        ueid=tpm.ueid,
    )
    with pytest.raises(CollectorRefused, match="ek-mismatch"):
        host.door.enrol(sign_enrolment(request, tpm))


def test_one_tpm_is_one_host(tmp_path: Path, inside: CollectorInside, plug: Plug) -> None:
    """The same endorsement key under another host ends as the table of attacks says, once."""
    expected = expected_of("tpm-enrolled-twice")
    assert expected.result is Result.FINDING
    assert expected.name is not None
    assert expected.within_s is not None
    tpm = plug("a")
    first = TpmHost(tmp_path / "a", inside, tpm.tcti)
    enrolment = first.enrol(inside.make_code("a"))
    second = TpmHost(tmp_path / "b", inside, tpm.tcti)
    begun_ms = inside.clock.ms
    for seed in ("b", "c"):
        with pytest.raises(CollectorRefused, match="ek-of-another-host"):
            second.enrol(inside.make_code(seed))
    inside.pass_time(expected.within_s * 1000)
    ((kind, opened_ms),) = inside.rows("SELECT type, opened_ms FROM findings")
    assert kind == expected.name
    assert opened_ms - begun_ms <= expected.within_s * 1000
    assert inside.findings() == [expected.name]
    assert inside.detail(expected.name)["signs"] == ["its TPM asked to be enrolled as another host"]
    assert inside.rows("SELECT id FROM hosts") == [(enrolment.host,)]
    before = inside.derived()
    inside.replay()
    assert inside.derived() == before


def expected_of(attack: str) -> Outcome:
    """Return what the table of attacks says of one at a host with a TPM."""
    (row,) = (each for each in expectations().attacks if each.id == attack)
    return row.outcome(Setup.TPM)


def quotes(inside: CollectorInside) -> int:
    """Return how many stored tokens hold a quote."""
    return sum(token.claims.tpm is not None for token in inside.logged())
