"""The same rows and columns of all events, read into a table by pandas, DuckDB and cx.

Eight columns: key, occurred_at, kind, channel, direction, source, conversation, and the whole event
as JSON. pandas and DuckDB read the table that the job by hand has made, where all eight stand side by
side; DuckDB reads cx's own file, too, where they must be joined.
"""

from __future__ import annotations

import pathlib
import sqlite3
from typing import Any

from peers import job

COLUMNS = ["key", "occurred_at", "kind", "channel", "direction", "source", "conversation", "json"]
BY_HAND = f"SELECT {', '.join(COLUMNS)} FROM event"
OF_CX = """
SELECT e.key, e.ts, k.name, h.name, e.direction, s.name, c.key, e.payload FROM cx.event AS e
  JOIN cx.dict AS k ON k.id = e.kind JOIN cx.dict AS h ON h.id = e.channel JOIN cx.dict AS s ON s.id = e.source
  LEFT JOIN cx.conversation AS c ON c.id = e.conversation_id
WHERE e.standing = 0
"""


def with_pandas(path: str) -> job.Done:
    import pandas

    db = sqlite3.connect(path)
    clock = job.Clock()
    return clock.done(len(pandas.read_sql(BY_HAND, db)))


def with_duckdb(path: str, sql: str) -> job.Done:
    import duckdb
    import duckdb_extension_sqlite_scanner as scanner
    import pyarrow  # noqa: F401 - it makes the table; not to be imported while the clock runs

    found = pathlib.Path(scanner.__file__).parent.rglob("*.duckdb_extension")
    db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    db.execute(f"LOAD '{next(found)}'")
    db.execute(
        f"ATTACH '{path}' AS {'cx' if path.endswith('.cx') else 'hand'} (TYPE sqlite, READ_ONLY)"
    )
    clock = job.Clock()
    table: Any = db.execute(sql).fetch_arrow_table()
    return clock.done(table.num_rows)


def with_cx(path: str) -> job.Done:
    import pandas  # noqa: F401 - pyarrow.table imports it, to see what it is given
    import pyarrow

    import cxcontext as cx

    with cx.open(path) as store:
        clock = job.Clock()
        return clock.done(pyarrow.table(store.scan(columns=COLUMNS)).num_rows)


def with_cx_into_pandas(path: str) -> job.Done:
    import pandas  # noqa: F401
    import pyarrow  # noqa: F401

    import cxcontext as cx

    with cx.open(path) as store:
        clock = job.Clock()
        return clock.done(len(store.scan(columns=COLUMNS).to_pandas()))


def with_cx_decoding(path: str) -> job.Done:
    import pandas  # noqa: F401 - pyarrow.table imports it, to see what it is given
    import pyarrow

    import cxcontext as cx

    with cx.open(path) as store:
        clock = job.Clock()
        return clock.done(pyarrow.table(store.events()).num_rows)


def run(name: str, folder: str) -> job.Done:
    hand, store = f"{folder}/by_hand.db", f"{folder}/by_cx.cx"
    if name == "pandas":
        return with_pandas(hand)
    if name == "duckdb":
        return with_duckdb(hand, BY_HAND.replace("FROM event", "FROM hand.event"))
    if name == "duckdb-cx":
        return with_duckdb(store, OF_CX)
    if name == "cx-pandas":
        return with_cx_into_pandas(store)
    if name == "cx-events":
        return with_cx_decoding(store)
    return with_cx(store)
