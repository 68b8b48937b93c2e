"""`chipledger-server late`: who is late, and who must act next."""

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

from chipledger_server.cli.desk import answer, desk_of, json_option, table
from chipledger_server.usecases.reading import WaitsAsked, WaitState, When
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.waiting import waiting
from chipledger_server.usecases.showing.waits import WaitView, days
from chipledger_server.usecases.times import time_text

_MOST = 10_000


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommand."""
    command = commands.add_parser("late", help="who is late: every step that waits for somebody")
    command.add_argument("--site", help="one site; all if left out")
    command.add_argument("--owner", help="what this party or role must do")
    command.add_argument(
        "--state",
        choices=[state.value for state in WaitState],
        default=WaitState.OVERDUE.value,
        help="overdue if left out",
    )
    json_option(command)
    command.set_defaults(act=act)


def act(arguments: argparse.Namespace) -> int:
    """List waits, the one due first first."""
    desk = desk_of(arguments)
    now_ms = desk.hand.now_ms
    asked = WaitsAsked(
        scope=None,
        now_ms=now_ms,
        site=arguments.site,
        owner=arguments.owner,
        state=WaitState(arguments.state),
    )
    with desk.reads.snapshot() as snapshot:
        now = When(as_of_ms=now_ms, known_at_ms=now_ms)
        look = Look(snapshot=snapshot, scope=None, when=now, measure=desk.measure)
        views = waiting(look, asked, after=(-1, "", ""), limit=_MOST)
        looked_ms = snapshot.looked_ms()
    return answer(arguments, views, _lines(views, looked_ms))


def _lines(views: Sequence[WaitView], looked_ms: int | None) -> Iterator[str]:
    if looked_ms is None:
        yield "The collector has not looked yet: chipledger-server run does so every few minutes."
    else:
        yield f"as the collector saw it at {time_text(looked_ms)}"
    yield ""
    rows = [
        (
            view.site or "-",
            view.words,
            view.owner or view.owner_role,
            str(view.pieces or "-"),
            time_text(view.since_ms),
            time_text(view.due_ms),
            f"{days(view.late_ms)} days" if view.late_ms else "in time",
            view.finding or view.event or view.chip or view.key,
        )
        for view in views
    ]
    if rows:
        head = ("site", "must", "who", "chips", "since", "due", "late", "because of")
        yield from table(head, rows)
    elif looked_ms is not None:
        yield "Nobody is late."
