"""What becomes of keys in TPMs: rotation, boots, clearing, copies, lock-out and busy TPMs."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chipledger_agent.cycle.enrol import rotate
from chipledger_agent.domain.failures import AgentError, CollectorRefused, CollectorUnavailable
from chipledger_evidence.enrolment import KeyTier
from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.tpm_host import InsideClock, TpmHost, applicant

if TYPE_CHECKING:
    from chipledger_testing.swtpm import SoftwareTpm

pytestmark = pytest.mark.tpm

Plug = Callable[..., "SoftwareTpm"]


@pytest.fixture
def tpm(plug: Plug) -> "SoftwareTpm":
    """A TPM that is on."""
    return plug("a")


@pytest.fixture
def host(tmp_path: Path, inside: CollectorInside, tpm: "SoftwareTpm") -> TpmHost:
    """A host that is enrolled with it and has reported."""
    host = TpmHost(tmp_path / "a", inside, tpm.tcti)
    host.enrol(inside.make_code("a"))
    host.report()
    return host


def test_a_key_in_the_tpm_lets_in_the_next(inside: CollectorInside, host: TpmHost) -> None:
    """After a rotation the new key reports in the same chain, and the old one is refused."""
    old = host.key.signer.public.kid
    enrolment = host.rotate()
    assert enrolment.kid != old
    assert inside.rows("SELECT kid FROM host_keys WHERE revoked_ms IS NULL") == [(enrolment.kid,)]
    assert host.report().stored
    assert inside.findings() == []


def test_a_software_key_moves_into_the_tpm(
    tmp_path: Path, inside: CollectorInside, plug: Plug
) -> None:
    """The host and its name stay; the tier is that of its new key."""
    host = TpmHost(tmp_path / "a", inside)
    first = host.enrol(inside.make_code("a"))
    assert first.tier is KeyTier.SOFTWARE
    name = host.key.ueid
    host.tcti = plug("a").tcti
    second = host.rotate()
    assert (second.host, second.tier) == (first.host, KeyTier.TPM_NOEK)
    assert host.key.ueid == name
    assert host.report().stored


def test_a_key_leaves_its_tpm_by_two_people_only(inside: CollectorInside, host: TpmHost) -> None:
    """The present key lets in another key of its TPM, and none that can be copied."""
    present = host.key
    tcti, host.tcti = host.tcti, ""
    following = host.keyring.following(present)
    assert following.tier is KeyTier.SOFTWARE
    host.tcti = tcti
    assert host.enrolment is not None
    with pytest.raises(CollectorRefused, match="another-ek"):
        rotate(
            host.enrolment,
            present.signer,
            applicant(following),
            collector=host.door,
            clock=InsideClock(inside),
        )


def test_a_rotation_whose_answer_was_lost_is_repeated(
    inside: CollectorInside, host: TpmHost
) -> None:
    """The same next key again, and one host with one key at the end."""
    for lost in (1, 2):
        host.door.lose = [False] * (lost - 1) + [True]
        with pytest.raises(CollectorUnavailable):
            host.rotate()
    enrolment = host.rotate()
    assert inside.rows("SELECT kid FROM host_keys WHERE revoked_ms IS NULL") == [(enrolment.kid,)]
    assert len(inside.rows("SELECT 1 FROM host_keys")) == 2


def test_another_tpm_under_a_known_host_is_refused_and_found(
    inside: CollectorInside, host: TpmHost, plug: Plug
) -> None:
    """A rotation into another TPM takes two people, even with the present key's leave."""
    present = host.key
    tcti, host.tcti = host.tcti, plug("b").tcti
    following = host.keyring.following(present)
    host.tcti = tcti
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


def test_every_boot_is_quoted_with_its_registers_and_counters(
    inside: CollectorInside, host: TpmHost, tpm: "SoftwareTpm"
) -> None:
    """The reset counter goes up with the power, and nothing is odd about that."""
    tpm.power_cycle()
    host.tcti = tpm.tcti
    host.machine.boot_number += 1
    tpm.extend(4, b"a boot loader")
    assert host.report().stored
    quotes = [token.claims.tpm for token in inside.logged() if token.claims.tpm is not None]
    assert len(quotes) == 2
    assert quotes[0].pcrs["4"] != quotes[1].pcrs["4"]
    assert inside.findings() == []


def test_a_boot_without_a_quote_is_found_until_it_is_made_good(
    inside: CollectorInside, host: TpmHost
) -> None:
    """A host that leaves the quote out hides how it was started; the next one resolves it."""
    host.machine.boot_number += 1
    host.mute = True
    host.report()
    assert inside.findings() == ["tpm-quote-missing"]
    host.mute = False
    host.report()
    assert inside.findings() == []
    before = inside.derived()
    inside.replay()
    assert inside.derived() == before


def test_a_copied_tpm_is_found_when_both_copies_go_on(
    tmp_path: Path, inside: CollectorInside, host: TpmHost, tpm: "SoftwareTpm"
) -> None:
    """A clone of machine, state and TPM: the counters of the two cannot both go forward."""
    tpm.switch_off()
    copy = tpm.cloned(tmp_path / "tpm" / "copy").switch_on()
    tpm.switch_on()
    tpm.power_cycle()
    host.tcti = tpm.tcti
    twin = TpmHost(tmp_path / "twin", inside, copy.tcti, host.enrolment)
    shutil.copytree(host.folder, twin.folder, dirs_exist_ok=True)
    for one, boot in ((host, 2), (twin, 3)):
        one.machine = host.machine
        one.machine.boot_number = boot
        one.report()
    copy.switch_off()
    assert "host-key-cloned" in inside.findings()
    assert "from start" in inside.detail("host-key-cloned")["signs"][0]
    before = inside.derived()
    inside.replay()
    assert inside.derived() == before


def test_a_rotation_does_not_hide_a_copied_tpm(
    tmp_path: Path, inside: CollectorInside, host: TpmHost, tpm: "SoftwareTpm"
) -> None:
    """The next key is held against what the same TPM said under the key before."""
    tpm.switch_off()
    copy = tpm.cloned(tmp_path / "tpm" / "copy")
    tpm.switch_on()
    tpm.power_cycle()
    host.tcti = tpm.tcti
    host.machine.boot_number = 2
    host.report()
    host.rotate()
    assert inside.findings() == []
    twin = TpmHost(tmp_path / "twin", inside, copy.switch_on().tcti, host.enrolment)
    shutil.copytree(host.folder, twin.folder, dirs_exist_ok=True)
    twin.machine = host.machine
    twin.machine.boot_number = 3
    assert twin.report().stored
    copy.switch_off()
    assert inside.findings() == ["host-key-cloned"]
    assert "from start" in inside.detail("host-key-cloned")["signs"][0]
    before = inside.derived()
    inside.replay()
    assert inside.derived() == before


def test_a_copied_state_folder_is_worth_nothing_at_another_tpm(
    tmp_path: Path, inside: CollectorInside, host: TpmHost, plug: Plug
) -> None:
    """The keys do not load there: nothing is signed, and the code says why."""
    twin = TpmHost(tmp_path / "twin", inside, plug("b").tcti, host.enrolment)
    shutil.copytree(host.folder, twin.folder, dirs_exist_ok=True)
    before = len(inside.logged())
    assert twin.report().skipped == "tpm-key-foreign"
    assert len(inside.logged()) == before


def test_a_cleared_tpm_has_lost_its_keys_and_the_spool_stays(
    host: TpmHost, tpm: "SoftwareTpm"
) -> None:
    """No report can be signed any more; the code says what is needed, the scan is counted."""
    tpm.clear()
    outcome = host.report()
    assert outcome.skipped == "tpm-key-foreign"
    assert outcome.stored == 0


def test_a_busy_tpm_costs_one_report_and_no_more(
    inside: CollectorInside, host: TpmHost, tpm: "SoftwareTpm"
) -> None:
    """What is signed already is delivered; the next report says that one was skipped."""
    tpm.fill()
    assert host.report().skipped == "tpm-busy"
    tpm.empty()
    assert host.report().stored
    assert inside.findings() == ["scans-skipped"]


def test_a_lock_out_by_somebody_else_stops_nothing(host: TpmHost, tpm: "SoftwareTpm") -> None:
    """Our keys take no part in it: a stranger with a wrong password does not silence a host."""
    tpm.lock_out()
    assert host.report().stored
    host.rotate()
    assert host.report().stored


def test_a_closed_endorsement_hierarchy_says_so(host: TpmHost, tpm: "SoftwareTpm") -> None:
    """An authorisation value that the agent has not: a code of its own."""
    tpm.close_endorsement()
    with pytest.raises(AgentError, match="tpm-refused"):
        host.rotate()


def test_a_tpm_that_is_off_is_absent(host: TpmHost, tpm: "SoftwareTpm") -> None:
    """No device, no hang: a code, and the scan is counted."""
    tpm.switch_off()
    assert host.report().skipped == "tpm-absent"
