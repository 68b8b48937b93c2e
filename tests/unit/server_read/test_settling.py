"""What sightings come to: present, silent, disputed, moved."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chipledger_book.physical import ChipState
from chipledger_evidence.appraisal.grades import Grade
from chipledger_server.usecases.physical import (
    Claim,
    Patience,
    Reading,
    Rival,
    Standing,
    seen_chips,
    settle,
)

AT = 1_000_000
LIMIT = 1_000
PATIENCE = Patience(limit_ms=LIMIT)


def claim(
    chip: int | None = 1, host: str = "a", *, until: int = AT, reading: Reading = Reading.READ
) -> Claim:
    """Return a claim of a host of one site."""
    return Claim(
        chip=chip,
        site="johor",
        host=host,
        place=0,
        reading=reading,
        since_ms=0,
        until_ms=until,
        uuid="GPU-1",
    )


def standing(
    one: Claim, *rivals: Rival, disputed: frozenset[tuple[int, str]] = frozenset()
) -> Standing:
    """Return what one claim comes to."""
    return settle([one], rivals, disputed, patience=PATIENCE, at_ms=AT)[0].standing


def test_the_limit_itself_is_not_silence() -> None:
    """One millisecond more is."""
    assert standing(claim(until=AT - LIMIT)) is Standing.PRESENT
    assert standing(claim(until=AT - LIMIT - 1)) is Standing.SILENT


def test_a_later_sighting_elsewhere_is_a_move() -> None:
    """An earlier one is not."""
    assert standing(claim(), Rival(chip=1, host="b", until_ms=AT + 1)) is Standing.MOVED
    assert standing(claim(), Rival(chip=1, host="b", until_ms=AT - 1)) is Standing.PRESENT


def test_a_disputed_claim_takes_nothing_away() -> None:
    """However fresh it is: the other one counts."""
    rival = Rival(chip=1, host="b", until_ms=AT + 1)

    assert standing(claim(), rival, disputed=frozenset({(1, "b")})) is Standing.PRESENT
    assert standing(claim(), rival, disputed=frozenset({(1, "a")})) is Standing.DISPUTED


def test_what_is_no_chip_counts_nowhere() -> None:
    """Unidentified, unconfirmed or virtual: no better than declared."""
    for reading in (Reading.UNCONFIRMED, Reading.UNIDENTIFIED, Reading.NOT_PHYSICAL):
        settled = settle([claim(reading=reading)], [], frozenset(), patience=PATIENCE, at_ms=AT)
        assert settled[0].standing is Standing.UNCOUNTED
        assert settled[0].grade is Grade.G0
        assert seen_chips(settled) == ()


def test_downtime_of_ours_is_left_out() -> None:
    """Only as far as it lies in the time that is waited."""
    patience = Patience(limit_ms=LIMIT, downtime=[(AT - 600, AT - 100), (0, 10), (AT + 1, AT + 9)])

    assert not patience.silent(AT - LIMIT - 500, AT)
    assert patience.silent(AT - LIMIT - 501, AT)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(AT - 3000, AT)), max_size=6))
def test_a_chip_is_counted_once(sightings: list[tuple[str, int]]) -> None:
    """However many hosts list it, at most one claim of them is present or silent."""
    newest = dict(sorted(sightings))
    claims = [claim(host=host, until=until) for host, until in newest.items()]
    settled = settle(claims, [], frozenset(), patience=PATIENCE, at_ms=AT)
    states = [chip.state for chip in seen_chips(settled)]

    assert len(states) == min(1, len(claims))
    assert set(states) <= {ChipState.PRESENT, ChipState.SILENT}


def test_a_chips_own_signature_is_its_grade_until_it_is_too_old() -> None:
    """The limit itself still counts; without a signature the driver's word is what there is."""
    patience = Patience(limit_ms=LIMIT, signature_ms=600)
    signed = [replace(claim(), signed_ms=at) for at in (AT, AT - 600, AT - 601, None)]
    settled = [settle([one], [], frozenset(), patience=patience, at_ms=AT)[0] for one in signed]

    assert [one.grade for one in settled] == [Grade.G3, Grade.G3, Grade.G1, Grade.G1]


def test_a_signature_does_not_make_a_contradicted_line_count() -> None:
    """Where the views differ, nothing says that the chip which signed is this line."""
    one = replace(claim(reading=Reading.UNCONFIRMED), signed_ms=AT)
    patience = Patience(limit_ms=LIMIT, signature_ms=600)

    assert settle([one], [], frozenset(), patience=patience, at_ms=AT)[0].grade is Grade.G0


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(AT - 5, AT), st.booleans()), max_size=12
    )
)
def test_the_newest_claim_that_counts_outweighs_all_others(
    sightings: list[tuple[str, int, bool]],
) -> None:
    """As comparing each claim with each other one says, whoever is in dispute."""
    newest = {host: until for host, until, _ in sightings}
    disputed = frozenset((1, host) for host, _, lost in sightings if lost)
    claims = [claim(host=host, until=until) for host, until in newest.items()]
    counting = [(until, host) for host, until in newest.items() if (1, host) not in disputed]
    for one in settle(claims, [], disputed, patience=PATIENCE, at_ms=AT):
        mine = (one.claim.until_ms, one.claim.host)
        if (1, one.claim.host) in disputed:
            assert one.standing is Standing.DISPUTED
        else:
            moved = any(other > mine for other in counting)
            assert one.standing is (Standing.MOVED if moved else Standing.PRESENT)


class Counted(str):
    """A host's name that counts how often it is compared."""

    __slots__ = ()
    asked = 0

    def __eq__(self, other: object) -> bool:  # type: ignore[explicit-override]
        """Count, and compare as text."""
        Counted.asked += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_many_claims_on_one_chip_are_not_all_compared_with_each_other() -> None:
    """Twice the claims are twice the work."""
    work = []
    for count in (100, 200):
        hosts = [Counted(f"h{number:03d}") for number in range(count)]
        claims = [claim(host=host, until=AT - index) for index, host in enumerate(hosts)]
        rivals = [Rival(chip=1, host=one.host, until_ms=one.until_ms) for one in claims]
        Counted.asked = 0
        settle(claims, rivals, frozenset(), patience=PATIENCE, at_ms=AT)
        work.append(Counted.asked)
    assert work[1] <= 2 * work[0] + 10
