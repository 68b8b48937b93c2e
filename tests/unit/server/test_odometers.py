"""Counters that only grow."""

from hypothesis import given
from hypothesis import strategies as st

from chipledger_evidence.inventory import Counters, Unread
from chipledger_server.domain.odometers import (
    MANY,
    UNKNOWN,
    Odometers,
    compare,
    given_up,
    gone_on,
    latest,
    readings,
)

READ = st.integers(0, 2**53 - 1) | st.none() | st.just(Unread(nvml=3))
COUNTERS = st.lists(READ, min_size=MANY, max_size=MANY).map(
    lambda values: Counters(**dict(zip(Counters.__struct_fields__, values, strict=True)))
)
VALUES = st.lists(st.integers(UNKNOWN, 2**53 - 1), min_size=MANY, max_size=MANY)


def test_readings_have_a_place_for_every_chip() -> None:
    """What a token leaves out is unknown, and what it has too much of is nobody's."""
    one = Counters(ecc_corrected=1, ecc_uncorrected=Unread(nvml=3), bbx_seconds=9)
    assert readings((one,), 1) == [1, UNKNOWN, UNKNOWN, UNKNOWN, 9]
    assert readings((), 1) == [UNKNOWN] * MANY
    assert readings((one,), 2) == [1, UNKNOWN, UNKNOWN, UNKNOWN, 9, *[UNKNOWN] * MANY]
    assert readings((one, one), 1) == readings((one,), 1)


def test_a_step_back_is_told_with_both_values() -> None:
    """Of the chip it belongs to."""
    before = [5, 0, 0, 0, 9000] * 2
    steps, gaps = compare(before, [5, 0, 0, 0, 9000, 4, 0, 0, 0, 9000])
    assert [(step.chip, step.before, step.now) for step in steps] == [(1, 5, 4)]
    assert steps[0].name == "corrected ECC errors"
    assert gaps == {}


def test_a_black_box_may_lose_an_hour() -> None:
    """It is written down now and then; more than that is a step back."""
    assert compare([0, 0, 0, 0, 9000], [0, 0, 0, 0, 5400])[0] == []
    assert len(compare([0, 0, 0, 0, 9000], [0, 0, 0, 0, 5399])[0]) == 1


def test_what_is_not_read_now_is_remembered() -> None:
    """And has not gone back."""
    steps, gaps = compare([5, 0, UNKNOWN, 0, 1], [UNKNOWN, 0, UNKNOWN, 0, 1])
    assert (steps, gaps) == ([], {0: 5})


def test_only_what_is_said_not_to_be_offered_is_given_up() -> None:
    """A failed read may succeed again."""
    counters = (Counters(ecc_corrected=Unread(nvml=3), ecc_uncorrected=Unread(nvml=15)),)
    assert given_up([0, 1, 2], counters) == [
        (0, "corrected ECC errors"),
        (0, "rows remapped for corrected errors"),
    ]


@given(st.lists(COUNTERS, max_size=3), st.lists(COUNTERS, max_size=3))
def test_the_quick_look_never_misses_what_the_slow_one_finds(
    old: list[Counters], new: list[Counters]
) -> None:
    """Where all went on there is no step back and nothing to remember, and the rest is left."""
    before = readings(old, len(old))
    known = Odometers(inv="", values=before)
    values = readings(new, len(old))
    if gone_on(known, new):
        assert compare(before, values) == ([], {})
        assert known.values == values
    else:
        assert known.values == before


@given(VALUES, VALUES)
def test_what_was_last_read_is_the_newest_value_there_is(live: list[int], kept: list[int]) -> None:
    """A host that holds the chip knows better than what was kept."""
    assert latest([], kept) == kept
    assert latest([live], kept) == [
        old if new == UNKNOWN else new for new, old in zip(live, kept, strict=True)
    ]
