"""Cases held for one step: the write lock from the first look to the commit."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy import Connection, Engine, select

from chipledger_book.cases import Case, Step
from chipledger_evidence.entry import EntryType
from chipledger_server.adapters import schema
from chipledger_server.adapters.cases_sqlite import SqliteCases
from chipledger_server.adapters.database import bare, for_writing
from chipledger_server.adapters.people import principal_named, put
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.decisions import Draft


class HeldCase:
    """One finding and its case, inside a transaction that holds the write lock."""

    def __init__(self, connection: Connection, *, site: str | None, case: Case) -> None:
        self._connection = connection
        self._cases = SqliteCases(bare(connection).execute)
        self.site = site
        self.case = case

    def asked_before(self, by: str, request: str) -> Step | None:
        """Return the step that a principal asked for under this name."""
        records = schema.records.c
        rows = self._connection.execute(
            select(records.record).where(
                records.subject == self.case.id,
                records.type == EntryType.CASE.value,
                records.principal == by,
            )
        )
        steps = (msgspec.json.decode(row.record, type=Step) for row in rows)
        return next((step for step in steps if step.request == request), None)

    def reader(self, name: str) -> Principal | None:
        """Return a principal by name."""
        return principal_named(self._connection, name)

    def keep(self, step: Step, record: Draft) -> Case:
        """Take a step with its record."""
        self.case = self._cases.take(step)
        put(self._connection, record)
        return self.case


class SqlCases:
    """The tables `findings` and `cases`."""

    def __init__(self, engine: Engine) -> None:
        self._writer = for_writing(engine)

    @contextmanager
    def hold(self, finding: str) -> Iterator[HeldCase | None]:
        """Hold a case until the block ends; None where there is no such finding."""
        with self._writer.begin() as connection:
            findings = schema.findings.c
            row = connection.execute(select(findings.site).where(findings.id == finding)).first()
            case = SqliteCases(bare(connection).execute).newest(finding)
            if row is None or case is None:
                yield None
            else:
                yield HeldCase(connection, site=row.site, case=case)
