"""The screens: pages rendered here, no script, every number beside the words that limit it."""

from typing import Final

from litestar.handlers import HTTPRouteHandler

from chipledger_server.web.screens import (
    cases,
    closing,
    entering,
    fleet,
    importing,
    ledger,
    session,
    waits,
)

SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (
    *session.SCREENS,
    *fleet.SCREENS,
    *cases.SCREENS,
    *ledger.SCREENS,
    *entering.SCREENS,
    *importing.SCREENS,
    *closing.SCREENS,
    *waits.SCREENS,
)
"""Every route of the screens."""
