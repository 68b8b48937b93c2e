"""Attacks on what a host sends, on its key, its clock and its silence."""

from chipledger_evidence.nonce import Kind
from chipledger_server.domain.codes import ServerError
from chipledger_testing.attacks.field import Field
from chipledger_testing.attacks.registry import scenario
from chipledger_testing.collector_inside import HOUR_MS
from chipledger_testing.collector_process import code_text
from chipledger_testing.hosts import simulated

MINUTE_MS = 60_000


@scenario("challenge-used-twice")
def challenge_used_twice(field: Field) -> None:
    """One challenge, two reports."""
    host = field.host("a")
    nonce = field.inside.nonce(host, Kind.CHALLENGE)
    field.send(host, host.heartbeat(nonce))
    field.begin()
    field.send(host, host.heartbeat(nonce))
    field.live(1)


@scenario("nonce-of-another-host")
def nonce_of_another_host(field: Field) -> None:
    """A challenge asked for by another host."""
    host, other = field.host("a"), field.host("b")
    field.begin()
    field.send(host, host.heartbeat(field.inside.nonce(other, Kind.CHALLENGE)))
    field.live(1)


@scenario("report-changed")
def report_changed(field: Field) -> None:
    """One bit of a good report's payload, signed as it was."""
    host = field.host("a")
    token = field.inside.heartbeat(host)
    field.begin()
    payload = token.payload.replace(b'"uptime":', b'"uptime":1', 1)
    field.send(host, type(token)(header=token.header, payload=payload, signature=token.signature))
    field.live(1)


@scenario("findings-flooded")
def findings_flooded(field: Field) -> None:
    """Refused reports without end."""
    host = field.host("a")
    nonce = field.inside.nonce(host, Kind.CHALLENGE)
    field.send(host, host.heartbeat(nonce))
    field.begin()
    for _ in range(30):
        field.send(host, host.heartbeat(nonce))
    field.live(1)


@scenario("software-key-copied")
def software_key_copied(field: Field) -> None:
    """The original and its copy both report."""
    host = field.host("a")
    twin = field.copy(host)
    field.begin()
    field.beat(twin)
    field.inside.pass_time(HOUR_MS)
    field.beat(host)
    field.beat(twin)


@scenario("copy-replaces-the-original")
def copy_replaces_the_original(field: Field) -> None:
    """The copy alone goes on."""
    host = field.host("a")
    field.begin()
    twin = field.copy(host)
    for _ in range(6):
        field.inside.pass_time(HOUR_MS)
        field.beat(twin)


@scenario("enrolment-code-overused")
def enrolment_code_overused(field: Field) -> None:
    """Another host comes with a code that was good for one."""
    field.host("a")
    field.begin()
    try:
        field.inside.enrolments().enrol(simulated("thief").enrolment(code_text("ams-1/a")))
    except ServerError as error:
        field.refused.append(str(error.code))
    field.live(1)


@scenario("enrolment-code-stolen-in-time")
def enrolment_code_stolen_in_time(field: Field) -> None:
    """A stranger enrols with a good code and reports."""
    field.host("a")
    field.begin()
    field.host("stranger")
    field.live(2)


@scenario("host-powered-down")
def host_powered_down(field: Field) -> None:
    """One host of two ends."""
    host, _ = field.host("a"), field.host("b")
    field.begin()
    field.live(5, but=[host])


@scenario("site-powered-down", beside=("silent-host",))
def site_powered_down(field: Field) -> None:
    """All hosts of a site but one end."""
    dark = [field.host(f"dark {number}") for number in range(3)]
    field.host("lit")
    field.begin()
    field.live(5, but=dark)


@scenario("reports-suppressed")
def reports_suppressed(field: Field) -> None:
    """A host signs on and nothing arrives."""
    host, _ = field.host("a"), field.host("b")
    field.begin()
    for _ in range(4):
        field.inside.heartbeat(host)
        field.live(1, but=[host])


@scenario("reports-held-back")
def reports_held_back(field: Field) -> None:
    """One report is left out."""
    host = field.host("a")
    field.inside.heartbeat(host)
    field.begin()
    field.live(1)


@scenario("host-rolled-back")
def host_rolled_back(field: Field) -> None:
    """Its disk is restored to an hour ago."""
    host = field.host("a")
    seq, prev = host.seq, host.prev
    field.live(1)
    host.seq, host.prev = seq, prev
    field.begin()
    field.live(1)


@scenario("host-state-erased")
def host_state_erased(field: Field) -> None:
    """It takes up the collector's head."""
    host = field.host("a")
    field.begin()
    field.full(host, resumed=True)


@scenario("log-rewritten")
def log_rewritten(field: Field) -> None:
    """Who runs the collector takes a finding out of its database."""
    host = field.host("a")
    field.full(host, resumed=True)
    field.begin()
    field.inside.connection.execute("DELETE FROM findings")
    field.inside.restart()
    field.live(2)


@scenario("clock-set-wrong")
def clock_set_wrong(field: Field) -> None:
    """A host signs another time."""
    host = field.host("a")
    field.begin()
    field.beat(host, iat=field.inside.clock.ms // 1000 - 7200)


@scenario("agent-repacked")
def agent_repacked(field: Field) -> None:
    """Another program reports under the agent's name."""
    host = field.host("a")
    field.begin()
    field.full(host, swversion="9.9.9")
    field.live(1)


@scenario("never-declared")
def never_declared(field: Field) -> None:
    """Nobody says anything."""
    field.host("a")
    field.begin()
    field.live(2)


@scenario("provider-is-a-mock")
def provider_is_a_mock(field: Field) -> None:
    """The agent says itself that no NVML answered."""
    host = field.host("a")
    honest = host.inventory
    field.begin()
    provider = type(honest.provider)(kind="mock")
    host.inventory = type(honest)(status=honest.status, provider=provider)
    field.full(host)
    host.inventory = honest
    field.live(1)
