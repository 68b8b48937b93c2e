"""The chain's verdict depends on which tokens came, never on their order."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from chipledger_evidence.ids import NO_PREVIOUS
from chipledger_server.domain.chain import (
    MOST_RANGES,
    Chain,
    Link,
    Neighbours,
    count_missing,
    extend,
    without,
)


def around(kept: Iterable[Link], link: Link) -> Neighbours:
    """Return what a store would say around `link`."""
    kept = list(kept)
    return Neighbours(
        before=frozenset(one.token for one in kept if one.seq == link.seq - 1),
        same=frozenset(one.token for one in kept if one.seq == link.seq),
        after=frozenset(one.prev for one in kept if one.seq == link.seq + 1),
    )


def verdict(links: Iterable[Link]) -> tuple[Chain, bool]:
    """Apply `links` in order and return the chain, and whether it ever split."""
    chain, split, kept = Chain(), False, list[Link]()
    for link in links:
        chain, splits = extend(chain, link, around(kept, link))
        split |= splits
        kept.append(link)
    return chain, split


def straight(length: int, branch: str = "a") -> list[Link]:
    """Return an honest chain."""
    return [
        Link(
            seq=number,
            token=f"{branch}{number}",
            prev=NO_PREVIOUS if number == 1 else f"{branch}{number - 1}",
        )
        for number in range(1, length + 1)
    ]


def test_an_unbroken_chain_misses_nothing_and_never_split() -> None:
    """The plain case is clean."""
    assert verdict(straight(5)) == (Chain(seq=5, token="a5"), False)


def test_what_did_not_come_is_missing_until_it_comes() -> None:
    """A gap is named by its numbers, and a late token repairs it."""
    links = straight(5)
    assert verdict([links[0], links[3], links[4]])[0].missing == ((2, 3),)
    chain, split = verdict([links[0], links[3], links[1], links[4], links[2]])
    assert (chain.missing, split) == ((), False)


def test_a_missing_first_token_is_a_gap() -> None:
    """A chain that starts later than at one has lost its beginning."""
    assert verdict(straight(3)[2:])[0].missing == ((1, 2),)


def test_two_tokens_of_one_number_split_the_chain() -> None:
    """A restored disk signs a second history."""
    links = straight(4)
    other = Link(seq=4, token="b4", prev="a3")
    assert verdict([*links, other])[1]


def test_a_token_that_names_another_predecessor_splits_the_chain() -> None:
    """Continuing a chain that we do not hold is a second history."""
    links = straight(3)
    assert verdict([*links, Link(seq=4, token="b4", prev="b3")])[1]


def test_a_first_token_with_a_predecessor_splits_the_chain() -> None:
    """Number one has nothing before it."""
    assert verdict([Link(seq=1, token="a1", prev="z0")])[1]


def test_a_late_token_that_its_successor_does_not_name_splits_the_chain() -> None:
    """A hole can only be filled by the token that was there."""
    links = straight(3)
    assert verdict([links[0], links[2], Link(seq=2, token="b2", prev="a1")])[1]


@given(st.data())
def test_any_order_of_delivery_gives_the_same_verdict(data: st.DataObject) -> None:
    """Honest, gapped and forked histories alike."""
    main = straight(data.draw(st.integers(1, 8)))
    base = data.draw(st.integers(0, len(main)))
    fork = [
        Link(seq=n, token=f"b{n}", prev=(f"b{n - 1}" if n > base + 1 else f"a{base}"))
        for n in range(base + 1, base + 1 + data.draw(st.integers(0, 3)))
        if base
    ]
    came = data.draw(st.lists(st.sampled_from([*main, *fork]), unique=True, min_size=1))
    shuffled = data.draw(st.permutations(came))
    assert verdict(came) == verdict(shuffled)


@given(st.sets(st.integers(1, 30), min_size=1))
def test_what_came_and_what_is_missing_are_everything(numbers: set[int]) -> None:
    """No number below the head is forgotten, and none is counted twice."""
    links = [link for link in straight(30) if link.seq in numbers]
    chain, _split = verdict(links)
    assert chain.seq == max(numbers)
    assert count_missing(chain.missing) == max(numbers) - len(numbers)


def test_without_splits_a_range_around_a_number() -> None:
    """A repaired number leaves the rest missing."""
    assert without(((2, 5), (9, 9)), 3) == ((2, 2), (4, 5), (9, 9))
    assert without(((9, 9),), 9) == ()


def test_what_a_host_leaves_out_takes_bounded_room() -> None:
    """Every second number, for as long as a cheat likes: few ranges, and none shrinks to nothing.

    Beyond the bound the newest range runs on over numbers that came: never fewer are missing.
    """
    chain = Chain()
    for number in range(1, 4 * MOST_RANGES, 2):
        chain, _ = extend(chain, Link(seq=number, token=f"a{number}", prev="?"), Neighbours())
    assert len(chain.missing) == MOST_RANGES
    assert chain.missing[0] == (2, 2)
    assert chain.missing[-1][1] == chain.seq - 1


def test_late_tokens_do_not_split_a_gap_without_end() -> None:
    """One great jump, filled at every second number, is bounded as well."""
    chain, _ = extend(Chain(), Link(seq=2**53 - 1, token="z", prev="?"), Neighbours())
    for number in range(2, 4 * MOST_RANGES, 2):
        chain, _ = extend(chain, Link(seq=number, token=f"a{number}", prev="?"), Neighbours())
    assert len(chain.missing) == MOST_RANGES
    assert chain.missing[-1][1] == 2**53 - 2
