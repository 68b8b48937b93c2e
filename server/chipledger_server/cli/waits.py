"""`chipledger-server late`: who is late, and who must act next."""

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

from chipledger_server.cli.desk import answer, desk_of, json_option, table
from chipledger_server.usecases.reading import WaitsAsked, WaitState
from chipledger_server.usecases.showing.waits import WaitView, days, wait_view
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
        found = snapshot.waits(asked, after=(-1, "", ""), limit=_MOST)
        looked_ms = snapshot.looked_ms()
    views = [wait_view(wait, now_ms=now_ms) for wait in found]
    return answer(arguments, views, _lines(views, looked_ms))


def _lines(views: Sequence[WaitView], looked_ms: int | None) -> Iterator[str]:
    if looked_ms is None:
        yield "The collector has not looked yet: chipledger-server run does so every few minutes."
        return
    yield f"as the collector saw it at {time_text(looked_ms)}"
    yield ""
    rows = [
        (
            view.site or "-",
            view.words,
            view.owner or view.owner_role,
            str(view.pieces),
            time_text(view.since_ms),
            time_text(view.due_ms),
            f"{days(view.late_ms)} days" if view.late_ms else "in time",
        )
        for view in views
    ]
    if rows:
        yield from table(("site", "must", "who", "chips", "since", "due", "late"), rows)
    else:
        yield "Nobody is late."
