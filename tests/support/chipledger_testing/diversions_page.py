"""The rows of docs/THREATS.md that say which diversion the book shows, and when."""

from chipledger_book import shipped
from chipledger_book.timers import Timer
from chipledger_book.watch.diversions import (
    Diversion,
    Diversions,
    Help,
    Outcome,
    Papers,
    Result,
)


def papers_rows(table: Diversions) -> str:
    """Return what each kind of papers and of help is."""
    rows = [f"| `{papers}` | {table.papers[papers]} |" for papers in Papers]
    rows += [f"| `{given}` | {table.help[given]} |" for given in Help]
    return "\n".join(rows)


def diversion_rows(table: Diversions) -> str:
    """Return one row a diversion."""
    return "\n".join(map(_row, table.diversions))


def _row(one: Diversion) -> str:
    cells = (
        f"`{one.id}`",
        one.diversion,
        "; ".join(map(_outcome, one.outcomes)),
        one.remains,
        one.seen_in,
    )
    return f"| {' | '.join(cells)} |"


def _outcome(outcome: Outcome) -> str:
    names = [] if len(outcome.papers) == len(Papers) else [f"`{one}`" for one in outcome.papers]
    where = ", ".join(names)
    if outcome.given is not None:
        where = f"{where} with `{outcome.given}`".strip()
    return f"{where}: {_words(outcome)}" if where else _words(outcome)


def _words(outcome: Outcome) -> str:
    if outcome.result is Result.CANNOT_SEE:
        return "**cannot see**"
    words = f"`{outcome.kind}` {_when(outcome.timer)} {outcome.since}"
    if outcome.balance:
        words += f" (balance: {', '.join(outcome.balance)})"
    if outcome.also:
        words += f", also {', '.join(f'`{kind}`' for kind in outcome.also)}"
    return words


def _when(timer: Timer | None) -> str:
    if timer is None:
        return "at the next look after"
    row = next(one for one in shipped.timers().timers if one.timer is timer)
    if row.business_days is not None:
        return f"{row.business_days} business days after"
    return f"{row.hours} h after" if row.days is None else f"{row.days} d after"
