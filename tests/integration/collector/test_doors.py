"""The agents' doors of the real collector, over HTTP: what is good, and everything that is not."""

import gzip
import time

import msgspec
import pytest

from chipledger_evidence.answers import RefusedToken, Stored
from chipledger_evidence.codec import b64url_decode, b64url_encode, encode_canonical
from chipledger_evidence.enrolment import Enrolment
from chipledger_evidence.framing import encode_body
from chipledger_evidence.ids import NO_PREVIOUS
from chipledger_evidence.keys import P256_ORDER
from chipledger_evidence.nonce import RANDOM_BYTES, Kind, mint
from chipledger_evidence.token import Token
from chipledger_testing.collector_process import CollectorProcess, Reply, running
from chipledger_testing.hosts import SimulatedHost, inventory_of, simulated

PAST_S = 3600


def enrolled(
    collector: CollectorProcess, seed: str, *, alg: str = "ES256", chips: int = 1
) -> SimulatedHost:
    """Return a host that is enrolled, with the right time."""
    host = simulated(seed, chips=chips, alg=alg)  # type: ignore[arg-type]
    host.now_s = int(time.time())
    collector.enrol(host, collector.make_code(seed))
    return host


def full(collector: CollectorProcess, host: SimulatedHost) -> Token:
    """Return a challenged full report."""
    return host.full(collector.challenge(host).nonce)


def stored(reply: Reply) -> list[Stored]:
    """Return the results of a reply in which everything was stored."""
    results = reply.report().results
    assert reply.status == 200
    assert all(isinstance(result, Stored) for result in results)
    return [result for result in results if isinstance(result, Stored)]


def refused(reply: Reply) -> tuple[int, str]:
    """Return status and code of a reply to one token that was refused."""
    (result,) = reply.report().results
    assert isinstance(result, RefusedToken)
    return reply.status, result.code


def old_nonce(collector: CollectorProcess, host: SimulatedHost, kind: Kind, time_s: int) -> str:
    """Return a nonce that the collector would have given for a time."""
    key = (collector.folder / "nonce.key").read_bytes()
    random = str(time_s).encode().rjust(RANDOM_BYTES, b"\0")[:RANDOM_BYTES]
    return b64url_encode(mint(key, kind=kind, host=host.host, time_s=time_s, random=random))


# What is good


@pytest.mark.parametrize("alg", ["ES256", "Ed25519"])
def test_a_report_is_answered_with_its_leaf_and_the_next_epoch(
    collector: CollectorProcess, alg: str
) -> None:
    """The first is challenged, the next echoes the answer's epoch value."""
    host = enrolled(collector, f"good-{alg}", alg=alg)
    first = full(collector, host)
    answer = collector.report(first).report()
    (result,) = answer.results
    assert isinstance(result, Stored)
    assert (result.token, result.freshness) == (first.identity, "challenged")
    (second,) = stored(collector.report(host.heartbeat(answer.epoch)))
    assert second.freshness == "epoch"


def test_a_repeated_report_gets_its_first_answer_again(collector: CollectorProcess) -> None:
    """A lost answer costs nothing, and nothing is counted twice."""
    host = enrolled(collector, "repeat")
    token = full(collector, host)
    first = collector.report(token).report().results
    assert collector.report(token).report().results == first
    assert collector.report(token, token).report().results == first * 2


def test_a_batch_gets_one_result_a_token_in_order(collector: CollectorProcess) -> None:
    """A bad token between good ones spoils none of them."""
    host = enrolled(collector, "batch")
    stranger = simulated("stranger")
    stranger.host, stranger.site = host.host, host.site
    tokens = [full(collector, host)]
    epoch = collector.report(tokens[0]).report().epoch
    tokens += [host.heartbeat(epoch) for _ in range(3)]
    tokens.insert(2, stranger.heartbeat(epoch))
    reply = collector.report(*tokens)
    results = reply.report().results
    assert reply.status == 200
    assert [result.token for result in results] == [token.identity for token in tokens]
    assert [isinstance(result, Stored) for result in results] == [True, True, False, True, True]


def test_a_relay_sends_for_many_hosts(collector: CollectorProcess) -> None:
    """Tokens of several hosts travel in one body."""
    hosts = [enrolled(collector, f"relay-{number}") for number in range(3)]
    assert len(stored(collector.report(*(full(collector, host) for host in hosts)))) == 3


def test_a_body_may_be_gzipped(collector: CollectorProcess) -> None:
    """Compression changes nothing but the size."""
    host = enrolled(collector, "gzip", chips=8)
    body = gzip.compress(encode_body([full(collector, host)]))
    assert len(body) < 4096
    stored(collector.post("/v1/reports", body, encoding="gzip"))


def test_a_heartbeat_of_an_unknown_inventory_is_asked_for_in_full(
    collector: CollectorProcess,
) -> None:
    """The digest alone says nothing."""
    host = enrolled(collector, "want")
    answer = collector.report(host.heartbeat(collector.challenge(host).nonce)).report()
    assert answer.want == "full"
    assert answer.want_by is not None
    assert collector.report(full(collector, host)).report().want == "evidence"
    assert collector.report(host.heartbeat(answer.epoch)).report().want == "evidence"


def test_late_tokens_are_stored_and_said_to_be_late(collector: CollectorProcess) -> None:
    """An expired challenge and an old epoch value prove no freshness, and are no fault."""
    host = enrolled(collector, "late")
    now_s = int(time.time())
    for kind, age_s in ((Kind.CHALLENGE, PAST_S), (Kind.EPOCH, 100 * PAST_S)):
        token = host.full(old_nonce(collector, host, kind, now_s - age_s))
        (result,) = stored(collector.report(token))
        assert result.freshness == "late"


def test_a_challenge_carries_the_head_of_the_chain(collector: CollectorProcess) -> None:
    """A host that lost its state resumes from it."""
    host = enrolled(collector, "head")
    head = collector.challenge(host).head
    assert (head.seq, head.token) == (0, NO_PREVIOUS)
    token = full(collector, host)
    collector.report(token)
    head = collector.challenge(host).head
    assert (head.seq, head.token) == (1, token.identity)


# Faults of a token


def test_a_flipped_bit_anywhere_in_a_token_is_refused(collector: CollectorProcess) -> None:
    """Header, payload and signature alike, in either algorithm."""
    for alg in ("ES256", "Ed25519"):
        host = enrolled(collector, f"flip-{alg}", alg=alg)
        token = host.heartbeat(collector.challenge(host).nonce)
        good = token.header + token.payload + token.signature
        sizes = len(token.header), len(token.header) + len(token.payload)
        for bit in range(0, len(good) * 8, 61):
            bad = bytearray(good)
            bad[bit // 8] ^= 1 << bit % 8
            parts = bytes(bad)
            flipped = Token(
                header=parts[: sizes[0]],
                payload=parts[sizes[0] : sizes[1]],
                signature=parts[sizes[1] :],
            )
            status, _code = refused(collector.report(flipped))
            assert status in {400, 403, 404}
        stored(collector.report(token))


def test_the_high_s_twin_of_a_good_signature_is_refused(collector: CollectorProcess) -> None:
    """Even before the good one came, and even though it verifies."""
    host = enrolled(collector, "twin")
    token = full(collector, host)
    s = P256_ORDER - int.from_bytes(token.signature[32:])
    twin = Token(
        header=token.header,
        payload=token.payload,
        signature=token.signature[:32] + s.to_bytes(32),
    )
    assert refused(collector.report(twin)) == (403, "high-s-signature")
    stored(collector.report(token))


def test_an_unknown_key_is_refused(collector: CollectorProcess) -> None:
    """Nobody reports who has not enrolled."""
    stranger = simulated("nobody")
    stranger.host, stranger.site = "h-" + "a" * 26, "ams-1"
    assert refused(
        collector.report(stranger.full(old_nonce(collector, stranger, Kind.EPOCH, 1)))
    ) == (
        404,
        "unknown-key",
    )


def test_a_key_speaks_for_its_own_host_and_site_alone(collector: CollectorProcess) -> None:
    """A good signature over another name is refused."""
    one, two = enrolled(collector, "own-1"), enrolled(collector, "own-2")
    nonce = collector.challenge(one).nonce
    assert refused(collector.report(one.heartbeat(nonce, host=two.host))) == (403, "wrong-host")
    assert refused(collector.report(one.heartbeat(nonce, site="else"))) == (403, "wrong-site")


def test_a_foreign_nonce_is_refused(collector: CollectorProcess) -> None:
    """Another host's challenge, and bytes nobody gave out."""
    one, two = enrolled(collector, "foreign-1"), enrolled(collector, "foreign-2")
    for nonce in (collector.challenge(two).nonce, NO_PREVIOUS):
        assert refused(collector.report(one.heartbeat(nonce))) == (409, "foreign-nonce")


def test_a_spent_challenge_is_refused(collector: CollectorProcess) -> None:
    """In a later request, and within one body."""
    host = enrolled(collector, "spent")
    nonce = collector.challenge(host).nonce
    stored(collector.report(host.heartbeat(nonce)))
    assert refused(collector.report(host.heartbeat(nonce))) == (409, "spent-nonce")
    nonce = collector.challenge(host).nonce
    results = collector.report(host.heartbeat(nonce), host.heartbeat(nonce)).report().results
    assert [isinstance(result, Stored) for result in results] == [True, False]


def test_another_provider_than_nvml_is_refused_at_a_real_site(collector: CollectorProcess) -> None:
    """What a mock answers counts at test sites only."""
    host = enrolled(collector, "provider")
    host.inventory = inventory_of(*host.inventory.chips, provider="mock")
    assert refused(collector.report(full(collector, host))) == (403, "provider-not-accepted")


def test_a_mock_is_accepted_at_a_test_site(collector: CollectorProcess) -> None:
    """The site says that it is one."""
    collector.declare_site("lab", test_site=True)
    host = simulated("lab-1")
    host.inventory = inventory_of(*host.inventory.chips, provider="mock")
    collector.enrol(host, collector.make_code("lab-1", site="lab"))
    stored(collector.report(full(collector, host)))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text.replace(b'"seq":1', b'"seq":1,"seq":1'), "not-canonical"),
        (lambda text: text.replace(b'"seq":1', b'"seq":1.0'), "malformed-json"),
        (lambda text: text.replace(b'"seq":1', b'"seq":1.5'), "malformed-json"),
        (lambda text: text.replace(b'"seq":1', b'"seq": 1'), "not-canonical"),
        (lambda text: text.replace(b'"site"', b'"shoe":1,"site"'), "malformed-json"),
        (lambda text: text.replace(b'"seq":1', b'"seq":' + b"[" * 5000), "malformed-json"),
        (lambda text: text[:-1], "malformed-json"),
        (lambda text: text.replace(b"ams-1", b"ams-\xff"), "malformed-json"),
    ],
    ids=["duplicate", "float", "fraction", "space", "unknown-claim", "deep", "cut", "utf-8"],
)
def test_payloads_that_are_not_the_one_canonical_text_are_refused(
    collector: CollectorProcess, change: object, code: str, request: pytest.FixtureRequest
) -> None:
    """Signed by the right key, and still not accepted."""
    host = enrolled(collector, f"text-{request.node.callspec.id}")
    good = host.heartbeat(collector.challenge(host).nonce)
    payload = change(good.payload)  # type: ignore[operator]
    unsigned = Token(header=good.header, payload=payload, signature=bytes(64))
    token = Token(
        header=good.header,
        payload=payload,
        signature=host.signer.sign(unsigned.signing_input),
    )
    assert refused(collector.report(token)) == (400, code)


@pytest.mark.parametrize("extra", [b'"crit":["exp"],', b'"b64":false,'])
def test_a_critical_header_is_refused(collector: CollectorProcess, extra: bytes) -> None:
    """A header has exactly three members."""
    host = enrolled(collector, f"crit-{len(extra)}")
    good = host.heartbeat(collector.challenge(host).nonce)
    header = good.header.replace(b'{"alg":"ES256",', b'{"alg":"ES256",' + extra)
    unsigned = Token(header=header, payload=good.payload, signature=bytes(64))
    token = Token(
        header=header, payload=good.payload, signature=host.signer.sign(unsigned.signing_input)
    )
    assert refused(collector.report(token)) == (400, "malformed-token")


def test_a_refused_report_of_a_known_key_becomes_a_finding(collector: CollectorProcess) -> None:
    """The operator hears of what this key really signed and the collector did not take."""
    host = enrolled(collector, "told")
    collector.report(host.heartbeat(NO_PREVIOUS))  # no value of ours
    deadline = time.monotonic() + 20
    while not collector.rows(
        "SELECT 1 FROM findings WHERE type = 'refused-report' AND host = ?", host.host
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)


# Faults of a body


def test_a_body_that_is_no_report_is_refused(collector: CollectorProcess) -> None:
    """Framing, media type and encoding each have their code."""
    good = encode_body([enrolled(collector, "frame").heartbeat(NO_PREVIOUS)])
    for body in (b"", b"CLR2", good[:-1], good + b"\x03\0\0\0\0", b"CLR1"):
        reply = collector.post("/v1/reports", body)
        assert (reply.status, reply.problem().code) == (400, "malformed-framing")
    reply = collector.post("/v1/reports", good, kind="text/plain")
    assert (reply.status, reply.problem().code) == (415, "unsupported-media-type")
    reply = collector.post("/v1/reports", good, encoding="br")
    assert (reply.status, reply.problem().code) == (415, "unsupported-media-type")
    for body in (good, gzip.compress(good)[:-1], gzip.compress(good) + b"x"):
        reply = collector.post("/v1/reports", body, encoding="gzip")
        assert (reply.status, reply.problem().code) == (400, "malformed-compression")
    assert reply.headers["content-type"] == "application/problem+json"


# Enrolment


def enrol(collector: CollectorProcess, host: SimulatedHost, code: str) -> Reply:
    """Ask for enrolment and return the reply."""
    return collector.post("/v1/enrolments", host.enrolment(code), kind="application/jwt")


@pytest.mark.parametrize(
    ("request_line", "status", "code", "allow"),
    [
        ("GET /v1/reports", 405, "method-not-allowed", "POST"),
        ("PUT /v1/reports", 405, "method-not-allowed", "POST"),
        ("POST /v1/health", 405, "method-not-allowed", "GET"),
        ("GET /v1/elsewhere", 404, "not-found", None),
        ("POST /v1/elsewhere", 404, "not-found", None),
    ],
)
def test_an_address_that_is_no_door_is_refused_with_a_code(
    collector: CollectorProcess, request_line: str, status: int, code: str, allow: str | None
) -> None:
    """Whoever speaks to the agents' doors gets a problem document, never a page for people."""
    method, path = request_line.split()
    reply = collector.request(method, path, None if method == "GET" else b"x", {})
    assert reply.headers["content-type"] == "application/problem+json"
    assert (reply.status, reply.problem().code) == (status, code)
    assert reply.headers.get("allow") == allow


def test_enrolment_is_counted_and_repeatable(collector: CollectorProcess) -> None:
    """The same key gets the same answer, also when the code is used up; another key none."""
    one, two = simulated("count-1"), simulated("count-2")
    code = collector.make_code("count", uses=1)
    first = enrol(collector, one, code)
    assert first.status == 201
    assert enrol(collector, one, code).body == first.body
    reply = enrol(collector, two, code)
    assert (reply.status, reply.problem().code) == (403, "enrolment-code-used-up")
    assert enrol(collector, one, code).body == first.body
    other = enrol(collector, one, collector.make_code("count-other"))
    assert (other.status, other.problem().code) == (409, "key-already-enrolled")


def test_enrolment_codes_expire_and_unknown_ones_say_so(collector: CollectorProcess) -> None:
    """Each refusal has its code, and none says which codes exist."""
    host = simulated("expired")
    reply = enrol(collector, host, collector.make_code("expired", expires_ms=1))
    assert (reply.status, reply.problem().code) == (403, "enrolment-code-expired")
    reply = enrol(collector, host, "ce-" + "a" * 32)
    assert (reply.status, reply.problem().code) == (403, "enrolment-code-unknown")


def test_a_code_enrols_at_its_own_site_alone(collector: CollectorProcess) -> None:
    """A host gets the site of its code, and its tokens must name that site."""
    collector.declare_site("site-b")
    host = simulated("site-b-1")
    collector.enrol(host, collector.make_code("site-b-1", site="site-b"))
    assert host.site == "site-b"
    host.site = "ams-1"
    assert refused(collector.report(full(collector, host))) == (403, "wrong-site")


def test_a_code_tied_to_serials_admits_no_others(collector: CollectorProcess) -> None:
    """All boards must be on the list, and at least one must be named."""
    code = collector.make_code("serials", serials=["s1", "s2"])
    host = simulated("serials")
    for serials in ((), ("s3",), ("s1", "s3")):
        body = host.enrolment(code, serials=serials)
        reply = collector.post("/v1/enrolments", body, kind="application/jwt")
        assert (reply.status, reply.problem().code) == (403, "enrolment-code-wrong-serials")
    body = host.enrolment(code, serials=("s2",))
    assert collector.post("/v1/enrolments", body, kind="application/jwt").status == 201


def test_an_enrolment_without_the_private_key_is_refused(collector: CollectorProcess) -> None:
    """Possession is proven by the signature, and a claimed tier is no proof of a better one."""
    host = simulated("possess")
    body = bytearray(host.enrolment(collector.make_code("possess")))
    body[-5] ^= 1
    reply = collector.post("/v1/enrolments", bytes(body), kind="application/jwt")
    assert reply.status in {400, 403}
    answer = enrol(collector, host, collector.make_code("possess-2")).body
    assert msgspec.json.decode(answer, type=Enrolment).tier == "software"


# Challenges, revocation, limits, health


def test_a_challenge_needs_an_enrolled_pair_of_host_and_key(collector: CollectorProcess) -> None:
    """A stranger learns nothing but that."""
    one, two = enrolled(collector, "pair-1"), enrolled(collector, "pair-2")
    for host, kid in (
        (two.host, one.signer.public.kid),
        (one.host, b64url_encode(bytes(32))),
    ):
        body = encode_canonical({"host": host, "kid": kid})
        reply = collector.post("/v1/challenges", body, kind="application/json")
        assert (reply.status, reply.problem().code) == (404, "unknown-key")
    reply = collector.post("/v1/challenges", b"{}", kind="application/json")
    assert (reply.status, reply.problem().code) == (400, "malformed-json")


def test_challenges_differ_every_time(collector: CollectorProcess) -> None:
    """A constant nonce would prove nothing."""
    host = enrolled(collector, "differ")
    nonces = {collector.challenge(host).nonce for _ in range(200)}
    assert len(nonces) == 200
    assert all(len(b64url_decode(nonce)) == 32 for nonce in nonces)


def test_a_revoked_key_is_refused_within_a_second_or_so(collector: CollectorProcess) -> None:
    """Also when another process revokes it; what it signed before stands."""
    host = enrolled(collector, "revoked")
    token = full(collector, host)
    stored(collector.report(token))
    collector.command("key", "revoke", host.signer.public.kid, "--reason", "stolen")
    deadline = time.monotonic() + 20
    while collector.report(token).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert refused(collector.report(token)) == (403, "revoked-key")
    assert collector.rows(
        "SELECT count(*) FROM tokens WHERE id = ?", b64url_decode(token.identity)
    ) == [(1,)]


def test_a_host_that_floods_is_limited_and_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The refusal says that it may send again, and holds nothing against the token."""
    folder = tmp_path_factory.mktemp("flood")
    settings = "[limits]\nhost_burst = 3\nhost_tokens_per_minute = 60\n"
    with running(folder, settings) as collector:
        host = enrolled(collector, "flood")
        answer = collector.report(full(collector, host)).report()
        tokens = [host.heartbeat(answer.epoch) for _ in range(4)]
        results = collector.report(*tokens).report().results
        assert [isinstance(result, Stored) for result in results] == [True, True, False, False]
        reply = collector.report(tokens[3])
        assert refused(reply) == (429, "rate-limited")
        assert int(reply.headers["retry-after"]) >= 1
        time.sleep(2.1)
        stored(collector.report(tokens[2]))
        assert collector.rows("SELECT count(*) FROM refusals") == [(0,)]


def test_health_means_work_done(collector: CollectorProcess) -> None:
    """Facts of writer and sequencer; metrics beside them."""
    reply = collector.get("/v1/health")
    assert reply.status == 200
    facts = msgspec.json.decode(reply.body)
    assert facts["status"] == "ok"
    assert facts["quiet_ms"] < 15_000
    text = collector.get("/metrics").body.decode()
    assert 'chipledger_tokens_total{result="stored"}' in text
    assert "chipledger_log_size" in text
