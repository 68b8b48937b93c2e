"""Renders docs/INVENTORY.md from `chipledger_evidence.inventory`.

`python -m chipledger_testing.inventory_page FILE` rewrites it; a test holds it to the code.
"""

import ast
import inspect
import sys
from pathlib import Path

from chipledger_evidence import inventory

HEAD = """# Inventory fields, version 1 (normative, generated)

Made from `chipledger_evidence.inventory` by `python -m chipledger_testing.inventory_page`; a test
compares. All of it is *self-reported*. A field may be absent when its reason stands in `unread`.
Bounds: {text}, {count}, {hex}, {bdf}.
"""
BOUNDS = {
    "text": "text at most 256 characters",
    "count": "counts from 0 to 2^53 - 1",
    "hex": "hex at most 256 octets, lower case",
    "bdf": "PCI addresses as `dddd:bb:dd.f`, lower case",
}


def render() -> str:
    """Return the page."""
    tree = ast.parse(inspect.getsource(inventory))
    parts = [HEAD.format(**BOUNDS)]
    parts += [_section(node) for node in tree.body if isinstance(node, ast.ClassDef)]
    return "\n".join(part for part in parts if part)


def _section(node: ast.ClassDef) -> str:
    rows = list(_rows(node))
    if not rows:
        return ""
    title = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
    lines = [f"## {node.name}", title, "", "| member | type | note |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {kind} | {note} |" for name, kind, note in rows]
    return "\n".join(lines) + "\n"


def _rows(node: ast.ClassDef) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    enum = any(isinstance(base, ast.Name) and base.id == "StrEnum" for base in node.bases)
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            rows.append((item.target.id, _kind(item.annotation), ""))
        elif enum and isinstance(item, ast.Assign) and isinstance(item.value, ast.Constant):
            rows.append((str(item.value.value), "value", ""))
        elif isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and rows:
            name, kind, _ = rows[-1]
            rows[-1] = (name, kind, " ".join(str(item.value.value).split()))
    return rows


def _kind(annotation: ast.expr) -> str:
    text = ast.unparse(annotation).replace(" | None", "").replace("|", "or")
    return text.split("msgspec.Meta")[0].split("whole(")[0].removeprefix("Annotated[").rstrip(", ")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
