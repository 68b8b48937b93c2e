"""Times, scopes, cursors, bars and words: how people write them, and how they are shown."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipledger_book.report import GradeStack
from chipledger_server.usecases.access import new_token, parse_scope, scope_text, token_hash
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing.pages import Place, cursor, open_cursor
from chipledger_server.usecases.times import instant_ms, looked_at_ms, span_ms, time_text
from chipledger_server.web.charts import FULL, licence_bar, present_bar
from chipledger_server.web.problems import STATUS, problem_of
from chipledger_server.web.rendering import short, span

NOW = 1_780_272_000_000


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("2026-06-01", NOW),
        ("2026-06-01T00:00:00Z", NOW),
        ("2026-06-01T02:00:00+02:00", NOW),
        ("2026-06-01T00:00:00.001+00:00", NOW + 1),
        (str(NOW), NOW),
    ],
)
def test_a_time_is_written_in_several_ways(text: str, millis: int) -> None:
    """All of them exact."""
    assert instant_ms(text) == millis


@pytest.mark.parametrize(
    "text", ["", "now", "2026-06-01T00:00:00", "2026-13-01", "1e9", "1969-01-01"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """Without a zone it is none."""
    with pytest.raises(Refusal, match="invalid-parameter"):
        instant_ms(text)


def test_today_is_looked_at_now() -> None:
    """Its end has not come; a day that is over is looked at at its end."""
    assert looked_at_ms("2026-06-01", now_ms=NOW + 5) == NOW + 5
    assert looked_at_ms("2026-05-31", now_ms=NOW + 5) == NOW - 1


@given(st.integers(0, 2**41))
def test_a_shown_time_is_read_back(at_ms: int) -> None:
    """To the second."""
    shown = time_text(at_ms).removesuffix(" UTC").replace(" ", "T") + "Z"

    assert instant_ms(shown) == at_ms - at_ms % 1000


@pytest.mark.parametrize(
    ("text", "millis"), [("90s", 90_000), ("24h", 86_400_000), ("2w", 1_209_600_000)]
)
def test_spans(text: str, millis: int) -> None:
    """A number and a unit."""
    assert span_ms(text) == millis


@given(st.none() | st.frozensets(st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,9}\Z"), min_size=1))
def test_a_scope_is_read_as_it_was_written(sites: frozenset[str] | None) -> None:
    """Everything, or a list of sites."""
    assert parse_scope(scope_text(sites)) == sites


@pytest.mark.parametrize("text", ["", "site:", "johor", "site:a,b", "site:A", "*,site:a"])
def test_what_is_no_scope_is_refused(text: str) -> None:
    """Nothing is guessed where access is at stake."""
    with pytest.raises(Refusal, match="malformed-scope"):
        parse_scope(text)


@given(st.binary(min_size=32, max_size=32))
def test_a_token_is_known_by_its_hash(random_bytes: bytes) -> None:
    """And text of another form by none."""
    token = new_token(random_bytes)

    assert token_hash(token) is not None
    assert token_hash(token + "A") is None
    assert token_hash(token[1:]) is None


@given(st.text(), st.integers(0, 2**53 - 1), st.tuples(st.integers(-1, 2**53 - 1), st.text()))
def test_a_cursor_is_opened_as_it_was_made(name: str, at: int, after: tuple[int, str]) -> None:
    """For the collection it was made for, with keys of the same kinds."""
    place = Place(collection=name, as_of_ms=at, known_at_ms=at, after=after)
    text = cursor(place)
    if len(text) <= 512:
        assert open_cursor(text, name, shape=(int, str)) == place
    with pytest.raises(Refusal, match="invalid-cursor"):
        open_cursor(text, name, shape=(str,))


@given(st.integers(0, 10**12), st.none() | st.integers(0, 10**12))
def test_the_parts_of_a_bar_fit_into_it(used: int, limit: int | None) -> None:
    """Side by side, from the left."""
    bar = licence_bar(used, limit)
    ends = [0, *(part.x + part.width for part in bar.segments)]

    assert all(part.x >= 0 for part in bar.segments)
    assert max(ends) <= FULL + 2
    assert bar.mark is None or 0 <= bar.mark <= FULL


@given(st.tuples(*(st.integers(0, 10**6) for _ in range(4))), st.integers(0, 10**6))
def test_a_stack_is_named_by_its_grades(counts: tuple[int, int, int, int], scale: int) -> None:
    """Each grade in words, never a bare colour."""
    g1, g2, g3, g4 = counts
    bar = present_bar(GradeStack(G1=g1, G2=g2, G3=g3, G4=g4), scale)

    assert ("self-reported (G1)" in bar.label) == (g1 > 0)
    assert len(bar.segments) == sum(count > 0 for count in counts)


def test_every_code_has_a_status() -> None:
    """The one table from error to HTTP is complete."""
    assert set(STATUS) == set(Code)


def test_what_was_not_foreseen_tells_nothing() -> None:
    """Its text stays in the log."""
    problem = problem_of(ValueError("the secret is 42"))

    assert problem.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert problem.code == "internal-error"
    assert "42" not in problem.detail


@pytest.mark.parametrize(
    ("millis", "words"), [(0, "under 1 s"), (59_999, "59 s"), (7_200_000, "2 h"), (10**9, "11 d")]
)
def test_a_span_is_shown_in_its_largest_unit(millis: int, words: str) -> None:
    """Whole units only."""
    assert span(millis) == words


def test_only_long_ids_are_shortened() -> None:
    """And the cut is shown."""
    assert short("h-abc") == "h-abc"
    assert short("h-" + "a" * 26) == "h-aaaaaaaaaa…"
