"""The job by hand, on Python's own sqlite3, as somebody writes it who knows both well.

A batch of 50,000 lines costs a handful of statements: what is known of its keys, identifiers,
conversations is asked for at once (`json_each`), the work is done on dicts, and what came of it is
written with `executemany`. Events hang on an identifier, not on a customer, so that two customers
who turn out to be one cost no event's row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from peers import job

SCHEMA = """
CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL);
CREATE TABLE identifier(
  id INTEGER PRIMARY KEY, ns TEXT NOT NULL, value TEXT NOT NULL, customer_id INTEGER NOT NULL, UNIQUE(ns, value));
CREATE INDEX identifier_customer ON identifier(customer_id);
CREATE TABLE event(
  id INTEGER PRIMARY KEY, key TEXT NOT NULL, rev TEXT NOT NULL, identifier_id INTEGER, occurred_at INTEGER NOT NULL,
  kind TEXT NOT NULL, channel TEXT NOT NULL, direction TEXT NOT NULL, source TEXT NOT NULL, conversation TEXT,
  json TEXT NOT NULL, UNIQUE(key, rev));
CREATE INDEX event_timeline ON event(identifier_id, occurred_at);
CREATE TABLE conversation(
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, identifier_id INTEGER, state TEXT NOT NULL, state_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL, last_direction TEXT, last_text TEXT);
CREATE INDEX conversation_open ON conversation(last_at) WHERE state = 'open';
CREATE TABLE channel_count(
  customer_id INTEGER NOT NULL, channel TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(customer_id, channel)) WITHOUT ROWID;
"""

PRAGMAS = """
PRAGMA page_size = 8192; PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA cache_size = -262144;
PRAGMA wal_autocheckpoint = 8192; PRAGMA temp_store = memory;
"""


class Customers:
    """Who is who in one batch: the identifiers it names, and customers joined by them."""

    def __init__(self, db: sqlite3.Connection, names: Iterable[job.Identifier]) -> None:
        self.db = db
        known = db.execute(
            "SELECT i.ns, i.value, i.id, i.customer_id FROM json_each(?1) AS j"
            " JOIN identifier AS i ON i.ns = j.value ->> 0 AND i.value = j.value ->> 1",
            [json.dumps(list(names))],
        ).fetchall()
        self.rows = {(ns, value): row for ns, value, row, _ in known}
        self.of = {(ns, value): customer for ns, value, _, customer in known}
        (self.last_identifier,) = db.execute(
            "SELECT coalesce(max(id), 0) FROM identifier"
        ).fetchone()
        (self.last,) = db.execute("SELECT coalesce(max(id), 0) FROM customer").fetchone()
        self.last_known = self.last_identifier
        self.parent: dict[int, int] = {}

    def find(self, customer: int) -> int:
        parent = self.parent
        while (above := parent.get(customer, customer)) != customer:
            parent[customer] = parent.get(above, above)
            customer = above
        return customer

    def join(self, names: list[job.Identifier]) -> tuple[int, int]:
        """The row of the first identifier, and whose all of them are."""
        found = sorted({self.find(self.of[name]) for name in names if name in self.of})
        if not found:
            self.last += 1
            found = [self.last]
        for other in found[1:]:
            self.parent[other] = found[0]
        for name in names:
            if name not in self.of:
                self.last_identifier += 1
                self.rows[name] = self.last_identifier
                self.of[name] = found[0]
        return self.rows[names[0]], found[0]

    def write(self) -> None:
        self.db.executemany(
            "INSERT INTO identifier(id, ns, value, customer_id) VALUES(?, ?, ?, ?)",
            [
                (row, *name, self.find(self.of[name]))
                for name, row in self.rows.items()
                if row > self.last_known
            ],
        )
        joined = [(self.find(customer), customer) for customer in self.parent]
        self.db.executemany("UPDATE identifier SET customer_id = ? WHERE customer_id = ?", joined)
        self.db.executemany(
            "INSERT INTO channel_count SELECT ?, channel, n FROM channel_count WHERE customer_id = ?"
            " ON CONFLICT DO UPDATE SET n = n + excluded.n",
            joined,
        )
        self.db.executemany(
            "UPDATE customer AS c SET first_at = min(c.first_at, o.first_at),"
            " last_at = max(c.last_at, o.last_at), name = coalesce(c.name, o.name)"
            " FROM customer AS o WHERE c.id = ? AND o.id = ?",
            joined,
        )
        gone = [(customer,) for _, customer in joined]
        self.db.executemany("DELETE FROM channel_count WHERE customer_id = ?", gone)
        self.db.executemany("DELETE FROM customer WHERE id = ?", gone)


def conversations(db: sqlite3.Connection, events: list[tuple[job.Parsed, int | None]]) -> None:
    keys = json.dumps(list({event.conversation for event, _ in events}))
    known: dict[str, job.Conversation] = {
        row[0]: job.Conversation(*row[1:])
        for row in db.execute(
            "SELECT c.key, c.identifier_id, c.state, c.state_at, c.last_at, c.last_direction, c.last_text"
            " FROM json_each(?) AS j JOIN conversation AS c ON c.key = j.value",
            [keys],
        )
    }
    for event, identifier in events:
        known.setdefault(event.conversation, job.Conversation(identifier)).take_in(event)
    db.executemany(
        "INSERT INTO conversation(key, identifier_id, state, state_at, last_at, last_direction, last_text)"
        " VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO UPDATE SET state = excluded.state,"
        " state_at = excluded.state_at, last_at = excluded.last_at,"
        " last_direction = excluded.last_direction, last_text = excluded.last_text",
        [
            (key, c.identifier_id, c.state, c.state_at, c.last_at, c.last_direction, c.last_text)
            for key, c in known.items()
        ],
    )


def take_in(db: sqlite3.Connection, lines: list[str]) -> int:
    """Takes in a batch in one transaction; says how many lines were there already."""
    parsed = [job.parse(line) for line in lines]
    fresh = {(event.key, event.rev): event for event in reversed(parsed)}
    there = db.execute(
        "SELECT e.key, e.rev FROM json_each(?) AS j JOIN event AS e ON e.key = j.value",
        [json.dumps([key for key, _ in fresh])],
    )
    for known in there.fetchall():
        fresh.pop(known, None)
    events = list(fresh.values())[::-1]

    customers = Customers(db, {name for event in events for name in event.who})
    rows: list[tuple[Any, ...]] = []
    talks: list[tuple[job.Parsed, int | None]] = []
    heard: list[tuple[job.Parsed, int]] = []
    for e in events:
        identifier = None
        if e.who:
            identifier, customer = customers.join(e.who)
            heard.append((e, customer))
        if e.conversation is not None:
            talks.append((e, identifier))
        rows.append(
            (
                e.key,
                e.rev,
                identifier,
                e.at,
                e.kind,
                e.channel,
                e.direction,
                e.source,
                e.conversation,
                e.line,
            )
        )
    customers.write()
    db.executemany(
        "INSERT INTO event(key, rev, identifier_id, occurred_at, kind, channel, direction, source, conversation, json)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    told, counts = job.told(heard, customers.find)
    db.executemany(
        "INSERT INTO customer(id, name, first_at, last_at) VALUES(?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
        " name = coalesce(excluded.name, name), first_at = min(first_at, excluded.first_at),"
        " last_at = max(last_at, excluded.last_at)",
        [(customer, *values) for customer, values in told.items()],
    )
    db.executemany(
        "INSERT INTO channel_count(customer_id, channel, n) VALUES(?, ?, ?)"
        " ON CONFLICT DO UPDATE SET n = n + excluded.n",
        [(customer, channel, n) for (customer, channel), n in counts.items()],
    )
    conversations(db, talks)
    db.commit()
    return len(lines) - len(events)


def run(events: str, folder: str) -> job.Done:
    db = sqlite3.connect(f"{folder}/by_hand.db")
    db.executescript(PRAGMAS)
    db.executescript(SCHEMA)
    clock = job.Clock()
    duplicates = sum(take_in(db, lines) for lines in job.batches(events))
    (n_events,) = db.execute("SELECT count(*) FROM event").fetchone()
    (n_customers,) = db.execute("SELECT count(*) FROM customer").fetchone()
    db.close()
    return clock.done(n_events, duplicates, n_customers)
