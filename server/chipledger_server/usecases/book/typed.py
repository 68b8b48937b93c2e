"""What somebody typed into a form becomes an event, or errors beside the fields."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from chipledger_book.errors import BookError, Code
from chipledger_book.events import read_event
from chipledger_book.imports.cells import MAX_CELL, CellError, time_ms
from chipledger_book.imports.columns import (
    DOCUMENT,
    HAPPENED,
    KIND,
    PART,
    PDI,
    PIECES,
    SERIAL,
    SKU,
    TITLE,
    UNIT,
    UUID,
)
from chipledger_book.imports.drafts import Draft, RowProblem
from chipledger_book.imports.gathering import Gathering
from chipledger_server.usecases.book.forms import LICENCE_LINES, THINGS, WHOLE, Form

MOST_BLOCKS: Final = 50
"""Most lines that a form shows; for more there is the import."""
_PDI: Final = re.compile(r"[0-9a-f]{16}")
_UUID: Final = re.compile(r"GPU-", re.IGNORECASE)
_PATH: Final = re.compile(r"licence\.lines\[(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is wrong with one field: code, what, and what to do."""

    code: str
    detail: str
    hint: str


@dataclass(slots=True, kw_only=True)
class Typed:
    """What a form amounts to.

    Attributes:
        values: what was typed, by field.
        blocks: how many lines the form shows.
        mistakes: field → what is wrong with it; `whole` for the event, `line-N` for a line.
        draft: the event, where nothing is wrong by itself.
        places: row of the draft → line of the form.
    """

    values: Mapping[str, str]
    blocks: int
    mistakes: dict[str, list[Mistake]] = field(default_factory=lambda: defaultdict(list))
    draft: Draft | None = None
    places: list[int] = field(default_factory=list)

    def blame(self, form: Form, problems: Sequence[RowProblem]) -> None:
        """Put every problem beside the field that it is about."""
        for one in problems:
            twice = one.code == Code.ROW_REPEATED
            detail = "something is named twice" if twice else one.detail
            mistake = Mistake(code=one.code, detail=detail, hint=one.hint)
            beside = self.mistakes[self._field(form, one)]
            if mistake not in beside:
                beside.append(mistake)

    def _field(self, form: Form, problem: RowProblem) -> str:
        if any(problem.column == one.name for one in form.inputs):
            return problem.column
        line = _PATH.match(problem.column)
        if line is not None:
            return f"line-{int(line[1]) + 1}"
        name = _OF_PATH.get(problem.column, "")
        if any(name == one.name for one in form.inputs):
            return name
        block = self.places[problem.row - 1] if 0 < problem.row <= len(self.places) else 0
        return f"line-{block}" if block and form.lines == THINGS else WHOLE


def blocks_of(values: Mapping[str, str]) -> int:
    """Return how many lines a form shows: those that were typed, one at least."""
    numbers = [
        int(name.split("-")[1])
        for name, text in values.items()
        if re.fullmatch(r"line-\d{1,3}-[a-z]+", name) and text.strip()
    ]
    return min(MOST_BLOCKS, max([1, *numbers]))


def read_form(form: Form, values: Mapping[str, str]) -> Typed:
    """Return what was typed into a form; what is wrong by itself is beside its field."""
    typed = Typed(values=values, blocks=blocks_of(values))
    head = {one.name: text for one in form.inputs if (text := values.get(one.name, "").strip())}
    if form.lines == LICENCE_LINES or form.kind == "site-declared":
        _read_nested(form, head, typed)
    else:
        _read_rows(form, head, typed)
    return typed


def _read_rows(form: Form, head: dict[str, str], typed: Typed) -> None:
    problems: list[RowProblem] = []
    gathering = Gathering(problems)
    long = [name for name, text in head.items() if len(text) > MAX_CELL]
    for name in long:
        detail = f"{len(head[name])} characters, at most {MAX_CELL} are accepted"
        typed.mistakes[name].append(
            Mistake(code="cell-malformed", detail=detail, hint="shorten it")
        )
        head[name] = head[name][:MAX_CELL]
    paper: dict[str, str] = {name: head.pop(name) for name in (DOCUMENT, TITLE) if name in head}
    rows = list(_rows(form, typed)) or [(0, {})]
    for number, (block, cells) in enumerate(rows, 1):
        typed.places.append(block)
        first = paper if number == 1 else {}
        gathering.take(number, {KIND: form.kind, **head, **cells, **first})
    drafts = gathering.drafts()
    typed.blame(form, problems)
    if len(drafts) == 1 and not typed.mistakes:
        (typed.draft,) = drafts


def _rows(form: Form, typed: Typed) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line of the form and cells of every thing that it names."""
    for block in range(1, typed.blocks + 1) if form.lines == THINGS else ():
        said = {
            name: typed.values.get(f"line-{block}-{name}", "").strip()
            for name in ("model", "pieces", "names", "part")
        }
        if not said["pieces"] and not said["names"] and not said["model"]:
            continue
        column, _, model = said["model"].partition(":")
        cells = {column: model} if column in (SKU, UNIT) and model else {}
        if form.parts and said["part"]:
            cells[PART] = said["part"]
        names = [one for one in re.split(r"[,;\n]", said["names"]) if one.strip()]
        for one in names:
            extra = {PIECES: said["pieces"]} if said["pieces"] else {}
            yield block, {**cells, **extra, **_names(one.split())}
        if not names:
            yield block, {**cells, **({PIECES: said["pieces"]} if said["pieces"] else {})}


def _names(words: Sequence[str]) -> dict[str, str]:
    """Return the names of one thing: a PDI, a UUID, a serial."""
    cells: dict[str, str] = {}
    for word in words:
        if _UUID.match(word):
            cells[UUID] = "GPU-" + word[4:].lower()
        elif _PDI.fullmatch(word.lower()) and not word.isdecimal():
            cells[PDI] = word.lower()
        else:
            cells[SERIAL] = f"{cells[SERIAL]} {word}" if SERIAL in cells else word
    return cells


def _read_nested(form: Form, head: Mapping[str, str], typed: Typed) -> None:
    """Read a site or a licence, whose members stand inside each other."""
    for one in form.inputs:
        if one.required and one.name not in head:
            detail = f"a {form.kind} needs it"
            typed.mistakes[one.name].append(
                Mistake(code="cell-missing", detail=detail, hint="fill the field")
            )
    plain: dict[str, Any] = {"type": form.kind}
    try:
        if HAPPENED in head:
            plain["occurred_at_ms"] = time_ms(head[HAPPENED])
    except CellError as error:
        typed.mistakes[HAPPENED].append(
            Mistake(code="cell-malformed", detail=str(error), hint="write the day and its zone")
        )
    if "remark" in head:
        plain["remark"] = head["remark"]
    made = _site(head) if form.kind == "site-declared" else _licence(head, typed)
    plain |= made
    if typed.mistakes:
        return
    try:
        typed.draft = Draft(event=read_event(msgspec.json.encode(plain)), row=1)
    except BookError as error:
        typed.blame(form, [problem_of(one) for one in error.problems])


def problem_of(found: Any) -> RowProblem:  # noqa: ANN401 - a problem of the book
    """Return a problem of the book as one of a form."""
    return RowProblem(
        row=1, column=found.where, code=str(found.code), detail=found.detail, hint=found.hint
    )


def _site(head: Mapping[str, str]) -> dict[str, Any]:
    parties = {
        who: {name: head.get(f"{who}-{name}", "") for name in ("id", "name", "headquarters")}
        for who in ("operator", "consignee", "ultimate_parent")
    }
    site: dict[str, Any] = {name: head.get(name, "") for name in ("id", "name", "country")}
    site |= parties
    if head.get("test"):
        site["test"] = True
    if "address" in head:
        site["place"] = {"address": head["address"]}
    return {"site": site}


def _licence(head: Mapping[str, str], typed: Typed) -> dict[str, Any]:
    names = ("issuer", "number", "type", "consignee", "valid_from", "valid_to")
    licence: dict[str, Any] = {name: head.get(name, "") for name in names}
    licence["source"] = {
        "sha256": head.get("source-sha256", ""),
        **({"title": head["source-title"]} if "source-title" in head else {}),
    }
    if "sites" in head:
        licence["sites"] = re.split(r"[\s,]+", head["sites"])
    lines = []
    for block in range(1, typed.blocks + 1):
        said = {
            name: text
            for name in ("sku", "amount", "unit", "reference")
            if (text := typed.values.get(f"line-{block}-{name}", "").strip())
        }
        if not said.keys() - {"unit"}:
            continue
        line: dict[str, Any] = dict(said)
        amount = said.get("amount", "").replace(",", "")
        line["amount"] = int(amount) if amount.isdecimal() else amount
        lines.append(line)
    return {"licence": {**licence, **({"lines": lines} if lines else {})}}


_OF_PATH: Final = {
    "site.id": "id",
    "site.name": "name",
    "site.country": "country",
    "site.place.address": "address",
    **{
        f"site.{who}.{name}": f"{who}-{name}"
        for who in ("operator", "consignee", "ultimate_parent")
        for name in ("id", "name", "headquarters")
    },
    **{
        f"licence.{name}": name
        for name in ("issuer", "number", "type", "consignee", "sites", "valid_from", "valid_to")
    },
    "licence.source.sha256": "source-sha256",
    "licence.source.title": "source-title",
    "occurred_at_ms": HAPPENED,
}
"""Path into a site or licence → field of its form."""
