"""Laws of a sample at the collector: its frame, its answers, and the order of its steps."""

from collections import Counter
from fractions import Fraction
from math import comb

from hypothesis import given
from hypothesis import strategies as st

from chipledger_book.counts.bounds import Checked, largest_hole
from chipledger_book.counts.detection import allowed_miss
from chipledger_book.counts.population import digest_of
from chipledger_book.counts.sampling import Hole, draw, strata_of
from chipledger_book.periods.units import Unit as Listed
from chipledger_evidence.appraisal.grades import Grade
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.sampling.answering import answers_of, hear
from chipledger_server.usecases.sampling.frame import change_between, frame_from
from chipledger_server.usecases.sampling.store import Heard
from chipledger_testing.sampling import GB200, H100, plan_for, population

WHEN = When(as_of_ms=1_790_000_000_000, known_at_ms=1_790_000_000_000)
SEEDS = st.binary(min_size=32, max_size=32)


def listed(number: int, sku: str, state: str, chips: int) -> Listed:
    """Return one entry of a balance's list: seen, or on paper alone."""
    seen = state in {"present", "silent", "disputed"}
    return Listed(
        sku=sku,
        tpp_each=1,
        chips=1 if seen else chips,
        state=state,  # type: ignore[arg-type] # the strategy draws from its values
        grade=Grade.G1 if seen else None,
        matched="count" if seen else None,
        names={"board": f"B{number}"} if number % 2 else {},
        chip=str(number) if seen else None,
        host="h-1" if seen else None,
        received_ms=0,
        event=f"event-{number % 3}" + "x" * 20 if state != "disputed" else None,
        line=number,
        first_attested_ms=None,
        last_attested_ms=None,
    )


entries = st.lists(
    st.tuples(
        st.sampled_from((H100, GB200)),
        st.sampled_from(("present", "silent", "disputed", "stored", "unaccounted")),
        st.integers(min_value=1, max_value=4),
    ),
    max_size=25,
).map(lambda found: [listed(number, *one) for number, one in enumerate(found)])


@given(entries)
def test_the_frame_holds_every_chip_of_the_list_once(found: list[Listed]) -> None:
    """But for claims that count elsewhere; strata add up; the order of the list is no matter."""
    frame = frame_from(found, "johor-1", WHEN, places={})
    counted = [one for one in found if one.booked or one.state != "disputed"]
    chips = sum(one.chips for one in counted)

    assert sum(frame.states.values()) == chips
    assert frame.left_out == len(found) - len(counted)
    if frame.population is None:
        assert chips == 0
        return
    assert len(frame.population.units) == chips
    sizes = [len(held) for held in strata_of(frame.population, ("sku", "grade")).values()]
    assert sum(sizes) == chips
    mixed = sorted(found, key=lambda one: (str(one.sku), one.line))
    again = frame_from(mixed, "johor-1", WHEN, places={}).population
    assert again is not None
    assert digest_of(again) == digest_of(frame.population)
    assert not change_between(frame.population, again)


@given(st.integers(min_value=2, max_value=40), SEEDS, SEEDS)
def test_a_draw_follows_from_seed_and_population_alone(
    chips: int, seed: bytes, other: bytes
) -> None:
    """The same give the same; what is asked beside them only says how many of the order."""
    people = population(chips)
    small = plan_for(people, Hole(by="chips", amount=chips), split=(), seed=seed)
    large = plan_for(people, Hole(by="chips", amount=1), split=(), seed=seed)

    few = [one.unit.id for one in draw(small, people, seed).units]
    many = [one.unit.id for one in draw(large, people, seed).units]

    assert draw(small, people, seed) == draw(small, people, seed)
    assert many[: len(few)] == few
    again = plan_for(people, Hole(by="chips", amount=1), split=(), seed=other)
    assert {one.unit.id for one in draw(again, people, other).units} <= {
        one.id for one in people.units
    }


def test_every_chip_can_be_drawn() -> None:
    """Over 400 seeds of one in eight each chip is drawn, and none out of all measure."""
    people = population(8)
    times: Counter[str] = Counter()
    for number in range(400):
        seed = number.to_bytes(32, "big")
        plan = plan_for(people, Hole(by="chips", amount=8), split=(), seed=seed)
        times.update(one.unit.id for one in draw(plan, people, seed).units)

    assert set(times) == {one.id for one in people.units}
    assert all(20 <= number <= 90 for number in times.values())


heards = st.lists(
    st.builds(
        Heard,
        chip=st.integers(min_value=1, max_value=6),
        site=st.sampled_from(("johor-1", "penang")),
        host=st.sampled_from(("h-1", "h-2")),
        at_ms=st.integers(min_value=1, max_value=9),
        by=st.sampled_from(("chip-signature", "host-report")),
        token=st.just("t" * 43),
        counts=st.booleans(),
    ),
    max_size=20,
)


@given(heards, st.booleans())
def test_a_chip_has_answered_only_by_an_answer_of_its_own(
    heard: list[Heard],
    over: bool,  # noqa: FBT001 - drawn
) -> None:
    """From its site, undisputed; a label that nobody heard has answered by nothing."""
    people = population(6)
    plan = plan_for(people, Hole(by="chips", amount=1), split=(), confidence_ppm=999_999)
    sample = draw(plan, people, bytes(range(32)))
    chips = {one.unit.id: number for number, one in enumerate(sample.units[:-1], start=1)}
    hearing = hear(chips, heard, site="johor-1")

    answers = answers_of(sample, hearing, due_ms=10, now_ms=11 if over else 10)

    given_by = {one.unit: one for one in answers.answers}
    for one in sample.units:
        own = [
            said
            for said in heard
            if said.chip == chips.get(one.unit.id) and said.site == "johor-1" and said.counts
        ]
        found = given_by.get(one.unit.id)
        if own:
            assert found is not None
            assert found.state == "answered"
            signed = any(said.by == "chip-signature" for said in own)
            assert (hearing.best[one.unit.id].by == "chip-signature") == signed
        else:
            assert (None if found is None else found.state) == ("not-answered" if over else None)


@given(
    st.integers(min_value=1, max_value=14),
    st.integers(min_value=0, max_value=14),
    st.data(),
)
def test_the_bound_holds_as_often_as_it_says(chips: int, gone: int, data: st.DataObject) -> None:
    """Of all samples of a real hole, those whose bound lies below it are no more than allowed."""
    gone = min(gone, chips)
    sample = data.draw(st.integers(min_value=1, max_value=chips))
    allowed = allowed_miss(900_000)
    below = Fraction(0)
    for failed in range(min(gone, sample) + 1):
        part = Checked(chips=chips, sample=sample, failed=failed)
        if sample - failed <= chips - gone and largest_hole([part], allowed=allowed) < gone:
            ways = comb(gone, failed) * comb(chips - gone, sample - failed)
            below += Fraction(ways, comb(chips, sample))

    assert below <= allowed
