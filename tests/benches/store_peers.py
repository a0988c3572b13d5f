"""The same job by hand, in Python: events of `cx generate` into SQLite, and a scan of them.

`cargo xtask bench store-peers [N]` makes the environment and the file and runs it. Printed are CPU
microseconds per event of this process, user and system, parsing aside: JSON is read before the
clock starts. The table has a unique key, an index for the timeline of a person (by the first
identifier) and nothing of what cx derives: no identity, no conversations, no counts, no feed.
"""

import json
import os
import resource
import sqlite3
import sys
import tempfile
import time


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def report(name: str, n: int, start: float, wall: float) -> None:
    used, passed = cpu() - start, time.perf_counter() - wall
    print(f"{name:<50} {used / n * 1e6:10.2f} CPU µs {passed / n * 1e6:10.2f} wall µs an event")


def rows(path: str) -> list[tuple[str, str, str, str, str]]:
    found = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            who = event.get("who") or [{"ns": "none", "value": ""}]
            person = f"{who[0]['ns']}:{who[0]['value']}"
            found.append((event["key"], person, event["occurred_at"], event["kind"], line))
    return found


def by_hand(folder: str, events: list[tuple[str, str, str, str, str]]) -> str:
    path = os.path.join(folder, "hand.db")
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = wal")
    db.execute("PRAGMA synchronous = full")
    db.execute("PRAGMA cache_size = -262144")
    db.execute(
        "CREATE TABLE event(id INTEGER PRIMARY KEY, key TEXT UNIQUE, person TEXT, at TEXT,"
        " kind TEXT, payload TEXT)"
    )
    db.execute("CREATE INDEX timeline ON event(person, at)")
    db.commit()
    start, wall = cpu(), time.perf_counter()
    for at in range(0, len(events), 10_000):
        db.executemany(
            "INSERT OR IGNORE INTO event(key, person, at, kind, payload) VALUES(?, ?, ?, ?, ?)",
            events[at : at + 10_000],
        )
        db.commit()
    report("sqlite3, executemany, a commit every 10,000", len(events), start, wall)
    db.close()
    return path


def by_orm(folder: str, events: list[tuple[str, str, str, str, str]]) -> None:
    from sqlalchemy import create_engine, select
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

    class Base(DeclarativeBase):
        pass

    class Row(Base):
        __tablename__ = "event"
        id: Mapped[int] = mapped_column(primary_key=True)
        key: Mapped[str] = mapped_column(unique=True)
        person: Mapped[str] = mapped_column(index=True)
        at: Mapped[str]
        kind: Mapped[str]
        payload: Mapped[str]

    engine = create_engine(f"sqlite:///{os.path.join(folder, 'orm.db')}")
    Base.metadata.create_all(engine)
    start, wall = cpu(), time.perf_counter()
    with Session(engine) as session:
        for at in range(0, len(events), 10_000):
            some = {event[0]: event for event in events[at : at + 10_000]}
            keys = list(some)
            known: set[str] = set()
            for part in range(0, len(keys), 900):
                asked = select(Row.key).where(Row.key.in_(keys[part : part + 900]))
                known.update(session.scalars(asked))
            session.add_all(
                Row(key=k, person=p, at=t, kind=kind, payload=line)
                for k, p, t, kind, line in some.values()
                if k not in known
            )
            session.commit()
    report("SQLAlchemy ORM, add_all, a commit every 10,000", len(events), start, wall)


def scan(path: str) -> None:
    import pandas

    db = sqlite3.connect(path)
    start, wall = cpu(), time.perf_counter()
    frame = pandas.read_sql("SELECT key, person, at, kind, payload FROM event", db)
    report("pandas.read_sql", len(frame), start, wall)


def main() -> None:
    events = rows(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        path = by_hand(folder, events)
        by_orm(folder, events[:100_000])
        scan(path)


if __name__ == "__main__":
    main()
