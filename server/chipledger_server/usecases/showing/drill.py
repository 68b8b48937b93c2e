"""Balances brought together, and what stands behind each of their numbers."""

from collections.abc import Collection
from typing import TypeVar

from chipledger_book.behind import COLUMNS, Behind, behind
from chipledger_book.rollup import BYS, RollUp, roll_up
from chipledger_server.usecases.book.reconcile import Balances, all_balances
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.views import Answer, EventView

T = TypeVar("T", bound=str)


class RollUps(Answer, frozen=True, kw_only=True):
    """The balances of the sites you may see, brought together.

    Attributes:
        by: what they have in common.
        items: real sites before test sites, by key.
        sites_left_out: whether there are sites that you may not see; they are in no number.
    """

    by: str
    items: tuple[RollUp, ...]
    sites_left_out: bool
    as_of_ms: int
    known_at_ms: int


class BehindView(Answer, frozen=True, kw_only=True):
    """What stands behind one number of a balance, with its events in words.

    Attributes:
        part: events with their pieces, and chips; they add up to the number.
        events: the events of `part` that you may see, and the newest log records of them.
    """

    site: str
    part: Behind
    events: tuple[EventView, ...]
    as_of_ms: int
    known_at_ms: int


def roll_ups(look: Look, by: str) -> RollUps:
    """Return the balances of the sites a reader may see, brought together.

    Raises:
        Refusal: `invalid-parameter`.
    """
    wanted = _one_of("by", by, BYS)
    balances = all_balances(look.snapshot, look.when, look.measure, scope=look.scope)
    return RollUps(
        by=wanted,
        items=roll_up([balance.report for balance in balances], wanted),
        sites_left_out=look.scope is not None,
        as_of_ms=look.when.as_of_ms,
        known_at_ms=look.when.known_at_ms,
    )


def behind_number(look: Look, site: str, *, sku: str, column: str) -> BehindView:
    """Return what stands behind a number of a site's balance.

    Raises:
        BookError: `unknown-site`.
        Refusal: `invalid-parameter`.
    """
    wanted = _one_of("column", column, COLUMNS)
    balances = Balances(look.snapshot, None, look.when, look.measure)
    side, book = balances.side(site), balances.book(site)
    model = _one_of("sku", sku, [one.sku.sku for one in side.models])
    part = behind(side, book, balances.tables, balances.question, sku=model, column=wanted)
    found = (look.snapshot.event(one.event, scope=look.scope) for one in part.events)
    return BehindView(
        site=site,
        part=part,
        events=tuple(event for event in found if event is not None),
        as_of_ms=look.when.as_of_ms,
        known_at_ms=look.when.known_at_ms,
    )


def _one_of(name: str, value: str, known: Collection[T]) -> T:
    for one in known:
        if one == value:
            return one
    hint = f"one of {', '.join(known) or 'none: the balance has no rows'}"
    raise Refusal(Code.INVALID_PARAMETER, f"{name} is {value!r}", hint=hint)
