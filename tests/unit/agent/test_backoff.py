"""How long the collector is left alone."""

from hypothesis import given
from hypothesis import strategies as st

from chipledger_agent.domain.backoff import BASE_S, CAP_S, MAX_RETRY_AFTER_S, retry_delay_s

ATTEMPTS = st.integers(min_value=1, max_value=1000)


def longest(attempt: int, retry_after_s: int | None = None) -> int:
    """Return the delay under the unluckiest chance."""
    return retry_delay_s(attempt, below=lambda limit: limit - 1, retry_after_s=retry_after_s)


def shortest(attempt: int, retry_after_s: int | None = None) -> int:
    """Return the delay under the luckiest chance."""
    return retry_delay_s(attempt, below=lambda _: 0, retry_after_s=retry_after_s)


def test_delays_grow_to_the_cap() -> None:
    """Twice as long each time, then no longer."""
    assert [longest(attempt) for attempt in (1, 2, 3)] == [BASE_S, 2 * BASE_S, 4 * BASE_S]
    assert longest(1000) == CAP_S


@given(ATTEMPTS)
def test_jitter_spreads_hosts_even_at_the_cap(attempt: int) -> None:
    """Jitter is taken after the cap: some host comes back at once, some at the cap."""
    assert shortest(attempt) == 1
    assert longest(attempt) == min(CAP_S, BASE_S * 2 ** (attempt - 1))


@given(ATTEMPTS, st.integers(min_value=0, max_value=MAX_RETRY_AFTER_S))
def test_retry_after_is_obeyed_in_full(attempt: int, asked_s: int) -> None:
    """Never sooner than asked, and spread beyond it."""
    assert shortest(attempt, asked_s) >= asked_s
    assert longest(attempt, asked_s) > asked_s


def test_an_absurd_retry_after_does_not_silence_the_host() -> None:
    """Silence is a finding against the host, so a year is taken for a mistake."""
    assert shortest(1, 365 * 86_400) == MAX_RETRY_AFTER_S
