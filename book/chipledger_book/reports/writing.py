"""A report as bytes: JSON, CSV and HTML. The same report gives the same bytes."""

import csv
import io
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from typing import Final, Literal

from chipledger_book.reports.header import Header, Report
from chipledger_book.reports.sheets import Cell, Sheet
from chipledger_evidence.codec import encode_canonical

Format = Literal["json", "csv", "html"]
FORMATS: Final[tuple[Format, ...]] = ("csv", "json", "html")
MEDIA_TYPES: Final[dict[Format, str]] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
}
_LONG_WORD: Final = 24
_COMPUTES: Final = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
"""With what a text begins that a spreadsheet computes, in plain and in full width."""
GUARD_WORDS: Final = (
    "a text that begins with = + - @ (plain or full width, after any white space) or with a "
    "control character stands with an apostrophe before it, so that no spreadsheet computes it; "
    "whole numbers are plain"
)

STYLE: Final = """
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0 auto;padding:24px 32px;max-width:1500px;color:#1a1a1a;background:#fff;
font:14px/1.45 system-ui,"Liberation Sans",Arial,sans-serif}
h1{font-size:24px;margin:0 0 2px}h2{font-size:16px;margin:26px 0 6px;break-after:avoid}
p{margin:4px 0 8px;max-width:100ch}.shape{color:#555;margin:0 0 14px}
.stage{display:inline-block;padding:2px 10px;border:1.5px solid;border-radius:3px;font-weight:600}
.draft{color:#8a3b00}.frozen,.signed{color:#7a5a00}.closed{color:#115c2e}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:12px 0;font-size:12px}
dt{color:#555}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:12px}
thead{display:table-header-group}tr{break-inside:avoid}
th,td{padding:3px 7px;text-align:left;vertical-align:top;border-bottom:1px solid #ddd;
overflow-wrap:break-word}
th{border-bottom:1.5px solid #333;vertical-align:bottom}
.n{text-align:right;font-variant-numeric:tabular-nums}td.n{white-space:nowrap}
.w{overflow-wrap:anywhere;min-width:9em}
.total td{font-weight:600;border-top:1.5px solid #333}
.none{color:#777}.note,li{font-size:12px;color:#333}
ul{margin:4px 0;padding-left:18px}
footer{margin-top:26px;border-top:1.5px solid #333;padding-top:6px}
@page{size:A4 landscape;margin:12mm}
@media print{body{padding:0;max-width:none;font-size:10pt}table,dl,.note,li{font-size:8pt}
th,td{padding:2px 4px}}
"""
STYLE_SOURCE: Final = "'sha256-" + b64encode(sha256(STYLE.encode()).digest()).decode() + "'"
"""What a content security policy says so that the style of these pages, and no other, holds."""


def written(report: Report, form: Format) -> bytes:
    """Return a report in one format."""
    if form == "json":
        return encode_canonical(report)
    return csv_of(report) if form == "csv" else html_of(report)


def csv_of(report: Report) -> bytes:
    """Return a report as CSV (UTF-8, RFC 4180).

    Rows that begin with ``#`` are about the report. Each table has a row with its name behind
    ``# table``, then its columns, then its rows; an empty row ends it.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    for name, value in report.header.lines():
        writer.writerow([f"# {name}", guarded(value)])
    writer.writerow(["# texts", f"{GUARD_WORDS}"])
    for sentence in report.header.strength:
        writer.writerow(["# strength", guarded(sentence)])
    for sentence in report.header.cannot_see:
        writer.writerow(["# cannot see", guarded(sentence)])
    for sheet in report.sheets():
        writer.writerow([])
        writer.writerow(["# table", sheet.name, guarded(sheet.title)])
        if sheet.note:
            writer.writerow(["# note", guarded(sheet.note)])
        writer.writerow([column.name for column in sheet.columns])
        writer.writerows([_cell(cell) for cell in row] for row in sheet.rows)
    return text.getvalue().encode()


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    return str(cell) if isinstance(cell, int) else guarded(cell)


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    first = text.lstrip()[:1]
    control = bool(text) and not text[0].isprintable()
    return f"'{text}" if (first in _COMPUTES and first) or control else text


def html_of(report: Report) -> bytes:
    """Return a report as one HTML page: no script, nothing from elsewhere, made to be printed."""
    header = report.header
    title = escape(f"{header.title}: {header.query.get('site', '')}")
    return "".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width">\n',
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
            *_top(header),
            *(part for sheet in report.sheets() for part in _table(sheet)),
            *_end(header),
            "</body>\n</html>\n",
        )
    ).encode()


def _top(header: Header) -> Iterator[str]:
    days = f"{header.query.get('first_day', '')} to {header.query.get('last_day', '')}"
    yield f"<header>\n<h1>{escape(header.title)}</h1>\n"
    yield f'<p class="shape">{escape(header.model)}</p>\n'
    site = escape(header.query.get("site", ""))
    yield f"<p><b>{site}</b>, {escape(days)} "
    yield f'<span class="stage {escape(header.stage)}">{escape(_stage(header))}</span></p>\n'
    yield "<dl>\n"
    for name, value in header.lines()[3:]:
        yield f"<dt>{escape(name.capitalize())}</dt><dd>{escape(value)}</dd>\n"
    yield "</dl>\n</header>\n"


def _stage(header: Header) -> str:
    words = {
        "draft": "Draft: nobody froze or signed this period",
        "frozen": "Frozen, not signed",
        "signed": "Signed by the operator, not by the auditor",
        "closed": "Closed: signed by operator and auditor",
    }
    first, *others = header.documents
    text = words.get(header.stage, header.stage)
    if first.restatement:
        text = f"{text}; restatement {first.restatement}"
    drafts = sum(one.digest is None for one in others)
    if drafts and first.digest is not None:
        text = f"{first.site}: {text[:1].lower()}{text[1:]}. {drafts} other facilities: drafts"
    return text


def _table(sheet: Sheet) -> Iterator[str]:
    yield f"<section>\n<h2>{escape(sheet.title)}</h2>\n"
    if not sheet.rows:
        yield '<p class="none">None.</p>\n'
    else:
        numeric = [
            any(isinstance(row[place], int) for row in sheet.rows)
            for place in range(len(sheet.columns))
        ]
        yield "<table>\n<thead><tr>"
        for column, right in zip(sheet.columns, numeric, strict=True):
            yield f'<th scope="col"{_right(right)}>{escape(column.title)}</th>'
        yield "</tr></thead>\n<tbody>\n"
        first_total = len(sheet.rows) - sheet.totals
        for place, row in enumerate(sheet.rows):
            yield '<tr class="total">' if place >= first_total else "<tr>"
            for cell, right in zip(row, numeric, strict=True):
                yield f"<td{_long(cell) or _right(right)}>{_shown(cell)}</td>"
            yield "</tr>\n"
        yield "</tbody>\n</table>\n"
    if sheet.note:
        yield f'<p class="note">{escape(sheet.note)}</p>\n'
    yield "</section>\n"


def _right(right: bool) -> str:  # noqa: FBT001 - one flag of a cell
    return ' class="n"' if right else ""


def _long(cell: Cell) -> str:
    """Return the class of a cell with a word that would push the others off the paper."""
    words = cell.split() if isinstance(cell, str) else ()
    return ' class="w"' if any(len(word) > _LONG_WORD for word in words) else ""


def _shown(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) else escape(cell)


def _end(header: Header) -> Iterator[str]:
    yield "<section>\n<h2>How strong each fact is</h2>\n<ul>\n"
    yield from (f"<li>{escape(sentence)}</li>\n" for sentence in header.strength)
    yield "</ul>\n</section>\n<section>\n<h2>What this cannot see</h2>\n<ul>\n"
    yield from (f"<li>{escape(sentence)}</li>\n" for sentence in header.cannot_see)
    yield "</ul>\n</section>\n"
