"""People, codes and keys: `principal`, `code` and `key`."""

import argparse
from pathlib import Path
from typing import Any

from chipledger_server.cli.desk import answer, desk_of, group, json_option, table
from chipledger_server.usecases.access import Principal, Role, scope_text
from chipledger_server.usecases.codes import CodeOrder, create_code, revoke_key
from chipledger_server.usecases.people import (
    Issued,
    NewPrincipal,
    add_principal,
    find_principal,
    revoke_principal,
    rotate_principal,
)
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.times import span_ms, time_text
from chipledger_server.wiring import gate_of


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommands."""
    _add_principal(group(commands, "principal", "who may read and act, by token"))
    code = group(commands, "code", "enrolment codes for hosts")
    command = code.add_parser("create", help="make a code; it is shown once")
    command.add_argument("--site", required=True)
    command.add_argument("--uses", type=int, required=True, help="hosts it may enrol")
    command.add_argument("--expires-in", required=True, metavar="SPAN", help="24h, 30d")
    command.add_argument(
        "--serials", type=Path, metavar="FILE", help="board serials it is tied to, one a line"
    )
    json_option(command)
    command.set_defaults(act=_code_create)
    key = group(commands, "key", "keys of hosts")
    command = key.add_parser("revoke", help="accept no further signature of a key")
    command.add_argument("kid", help="key id, as the host's page shows it")
    command.add_argument("--reason", required=True, help="stands in the log for ever")
    json_option(command)
    command.set_defaults(act=_key_revoke)


def _add_principal(principal: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command = principal.add_parser("add", help="add a principal; its token is shown once")
    command.add_argument("name")
    command.add_argument("--role", required=True, choices=[role.value for role in Role])
    command.add_argument("--site", action="append", help="a site an operator may read; repeatable")
    command.add_argument("--expires-in", metavar="SPAN", help="24h, 30d; never if left out")
    json_option(command)
    command.set_defaults(act=_principal_add)
    command = principal.add_parser("list", help="list principals, revoked ones too")
    json_option(command)
    command.set_defaults(act=_principal_list)
    command = principal.add_parser("revoke", help="end a principal and its sessions")
    command.add_argument("name")
    command.add_argument("--reason", required=True, help="stands in the log for ever")
    json_option(command)
    command.set_defaults(act=_principal_revoke)
    command = principal.add_parser("link", help="make a link that lets a browser in")
    command.add_argument("name")
    command.add_argument("--expires-in", default="1h", metavar="SPAN", help="1h if left out")
    json_option(command)
    command.set_defaults(act=_principal_link)
    command = principal.add_parser("rotate", help="give a new token; the old one ends at once")
    command.add_argument("name")
    command.add_argument("--expires-in", metavar="SPAN", help="24h, 30d; never if left out")
    json_option(command)
    command.set_defaults(act=_principal_rotate)


def _principal_link(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    person = find_principal(arguments.name, desk.people)
    gate = gate_of(desk.config, desk.people)
    lasts_s = span_ms(arguments.expires_in) // 1000
    ticket = gate.issue(person.id, use="link", now_ms=desk.hand.now_ms, lasts_s=lasts_s)
    path = f"/enter/{ticket}"
    return answer(arguments, {"name": person.name, "path": path}, [path])


def _principal_add(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    new = NewPrincipal(
        name=arguments.name,
        role=Role(arguments.role),
        sites=frozenset(arguments.site) if arguments.site else None,
        expires_ms=_expiry(arguments, desk.hand.now_ms),
    )
    return _issued(arguments, add_principal(new, desk.people, desk.hand))


def _principal_list(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    people = desk.people.everybody()
    rows = [
        (
            person.name,
            str(person.role),
            scope_text(person.sites),
            _state(person, desk.hand.now_ms),
            time_text(person.created_ms),
        )
        for person in people
    ]
    return answer(
        arguments,
        [_plain(person) for person in people],
        table(("name", "role", "scope", "state", "added"), rows),
    )


def _principal_revoke(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    person = revoke_principal(arguments.name, desk.people, desk.hand, reason=arguments.reason)
    return answer(arguments, _plain(person), [f"{person.name} is revoked, and so are its sessions"])


def _principal_rotate(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    expires_ms = _expiry(arguments, desk.hand.now_ms)
    issued = rotate_principal(arguments.name, desk.people, desk.hand, expires_ms=expires_ms)
    return _issued(arguments, issued)


def _code_create(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    order = CodeOrder(
        site=arguments.site,
        uses=arguments.uses,
        expires_ms=desk.hand.now_ms + span_ms(arguments.expires_in),
        serials=None if arguments.serials is None else _serials(arguments.serials),
    )
    code = create_code(order, desk.codes, desk.hand)
    value = {
        "code": code,
        "site": order.site,
        "uses": order.uses,
        "expires_ms": order.expires_ms,
        "tied_to_serials": order.serials is not None,
    }
    return answer(arguments, value, [code])


def _key_revoke(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    key = revoke_key(arguments.kid, desk.codes, desk.hand, reason=arguments.reason)
    value = {"kid": arguments.kid, "host": key.host, "revoked_ms": key.revoked_ms}
    return answer(arguments, value, [f"key {arguments.kid} of {key.host} is revoked"])


def _issued(arguments: argparse.Namespace, issued: Issued) -> int:
    value = {**_plain(issued.principal), "token": issued.token}
    return answer(arguments, value, [issued.token])


def _plain(person: Principal) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "role": person.role,
        "scope": scope_text(person.sites),
        "created_ms": person.created_ms,
        "expires_ms": person.expires_ms,
        "revoked_ms": person.revoked_ms,
    }


def _state(person: Principal, now_ms: int) -> str:
    if person.revoked_ms is not None:
        return "revoked"
    return "active" if person.active(now_ms) else "expired"


def _expiry(arguments: argparse.Namespace, now_ms: int) -> int | None:
    return None if arguments.expires_in is None else now_ms + span_ms(arguments.expires_in)


def _serials(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            Code.INVALID_PARAMETER, f"{path}: {error}", hint="one serial a line"
        ) from error
    if not lines:
        raise Refusal(Code.INVALID_PARAMETER, f"{path} lists no serial", hint="one serial a line")
    return lines
