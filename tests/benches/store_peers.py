"""The same job, end to end, by hand, on an ORM, and with cx; and a scan of what it has made.

`cargo xtask bench store-peers [EVENTS]` makes the environment, the events (`cx generate`) and the
release builds, and runs this: FILE.jsonl, the cx command. Exits with 1 where a target is missed.

The job, of every contestant, from one file of JSON lines to a store on disk, synchronous = FULL, a
commit every 50,000 lines (cx begins with 10,000):

- parse each line; take in each (key, rev) once and count what comes again; keep the event's JSON;
- who is who by shared identifiers: customers joined where an event names identifiers of both, so
  that "who has this identifier" and "this customer's newest 100 events" are indexed questions;
- conversations: open or closed, and what was said last;
- how many events of each customer on each channel.

That is all that the two in Python do. What they leave out, and cx does in its figures: an identifier
that everybody has (a hub) joins nobody, limits and contested values, merges that can be taken back
and explained, assertions by people, revisions and conflicts, who waits on whom, the change feed of
customers, checksums, full text, sources' freshness. So they may find other customers than cx: the
bench prints how many each has found. Events and duplicates must be the same, and are checked against
a plain set of what stands in the file.

Costs are CPU time, user and system, in microseconds an event: of the contestant's process from its
first line to its closed file, imports of modules aside; of the cx command from its start to its end.
Each contestant runs in a process of its own. The ORM is slow: it takes in the first ORM_MOST lines
only, when a small table favours it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable

from peers import job

#: How many lines the ORM takes in at most.
ORM_MOST = 100_000

HERE = str(pathlib.Path(__file__).resolve())


def contestant(name: str, events: str, folder: str) -> job.Done:
    """Runs in a process of its own."""
    if name == "by-hand":
        from peers import by_hand

        return by_hand.run(events, folder)
    if name == "by-orm":
        from peers import by_orm

        return by_orm.run(events, folder, ORM_MOST)
    if name == "by-cx":
        return by_cx(events, folder)
    from peers import scans

    return scans.run(name, folder)


def by_cx(events: str, folder: str) -> job.Done:
    import cxcontext as cx

    clock = job.Clock()
    with cx.open(f"{folder}/by_cx.cx") as store:
        report = store.import_file(events, source="jsonl")
    done = clock.done(report.new, report.duplicate)
    with cx.open(f"{folder}/by_cx.cx") as store:
        return done._replace(customers=sum(1 for _ in store.customers()))


def by_command(cx: str, events: str, folder: str) -> job.Done:
    """The cx command; what it has found is read afterwards."""
    import cxcontext

    path = f"{folder}/by_command.cx"
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [cx, "import", "--from", "jsonl", "--into", path, events]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    passed = time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    lines = count(events)
    with cxcontext.open(path) as store:
        n_events, customers = len(store.events()), sum(1 for _ in store.customers())
    return job.Done(cpu, passed, n_events, lines - n_events, customers)


def count(path: str) -> int:
    with open(path, "rb") as file:
        return sum(1 for _ in file)


def apart(name: str, events: str, folder: str) -> job.Done:
    command = [sys.executable, HERE, "--contestant", name, events, folder]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return job.Done(*json.loads(told.splitlines()[-1]))


def expected(path: str, most: int | None = None) -> tuple[int, int]:
    """How many events stand in the file, and how many lines say one of them again."""
    seen, n = set(), 0
    for lines in job.batches(path, most):
        for line in lines:
            event = json.loads(line)
            seen.add((event["key"], event.get("rev", "")))
            n += 1
    return len(seen), n - len(seen)


class Table:
    """What is printed: costs, ratios, targets."""

    def __init__(self) -> None:
        self.missed = 0

    def head(self, title: str, ratio: str) -> None:
        print(f"\n{title:<58} {'CPU µs':>8} {'wall µs':>8} {ratio:>9}  target")

    def row(self, name: str, done: job.Done, n: int, ratio: float | None, target: str = "") -> None:
        cpu, wall = done.cpu / n * 1e6, done.wall / n * 1e6
        times = f"{ratio:9.2f}" if ratio is not None else " " * 9
        print(f"{name:<58} {cpu:8.2f} {wall:8.2f} {times}  {target}", flush=True)

    def verdict(self, is_met: bool, wanted: str) -> str:
        self.missed += not is_met
        return f"{wanted}: {'met' if is_met else 'MISSED'}"


def load() -> str:
    ours = os.cpu_count() or 1
    busy = os.getloadavg()[0]
    state = "unloaded" if busy < 0.5 else "LOADED by others: compare ratios, and measure again"
    return f"{ours} cores, load {busy:.1f} before the start ({state})"


def ingest(table: Table, events: str, folder: str, cx: str) -> None:
    n = count(events)
    few = min(n, ORM_MOST)
    print(f"{n:,} lines of {os.path.getsize(events) / n:.0f} bytes; {load()}", flush=True)
    results = {name: apart(name, events, folder) for name in ("by-hand", "by-orm", "by-cx")}
    results["by-command"] = by_command(cx, events, folder)
    ours = results["by-cx"].cpu / n
    hand = results["by-hand"].cpu / n / ours
    orm = results["by-orm"].cpu / few / ours
    table.head("the job, end to end, an event", "times cx")
    wanted = table.verdict(hand >= 2.0, ">= 2")
    table.row("sqlite3 by hand", results["by-hand"], n, hand, wanted)
    wanted = table.verdict(orm >= 10.0, ">= 10")
    table.row(f"SQLAlchemy ORM, the first {few:,}", results["by-orm"], few, orm, wanted)
    table.row("cx, from Python: store.import_file", results["by-cx"], n, 1.0)
    command = results["by-command"]
    table.row("cx, the command: cx import", command, n, command.cpu / n / ours)
    agree(results, {name: expected(events) for name in ("by-hand", "by-cx", "by-command")}
          | {"by-orm": expected(events, ORM_MOST)})  # fmt: skip


def agree(results: dict[str, job.Done], wanted: dict[str, tuple[int, int]]) -> None:
    print("\nwhat each has found (customers may differ: in cx hubs join nobody, and limits hold)")
    for name, done in results.items():
        print(
            f"  {name:<12} {done.n_events:>10,} events {done.duplicates:>8,} duplicates"
            f" {done.customers:>8,} customers"
        )
    for name, done in results.items():
        if (done.n_events, done.duplicates) != wanted[name]:
            sys.exit(f"{name}: in the file stand {wanted[name]} events and duplicates")


def scan(table: Table, events: str, folder: str) -> None:
    print(
        "\nThe Python versions leave out hubs, limits, undo, explanations, revisions, who waits on"
    )
    print("whom, the change feed, checksums and full text, which are in cx's figures.")
    has_duckdb = importlib.util.find_spec("duckdb_extension_sqlite_scanner") is not None
    names = ["pandas", "duckdb", "duckdb-cx", "cx", "cx-pandas", "cx-events"]
    results = {}
    for name in names:
        if has_duckdb or not name.startswith("duckdb"):
            results[name] = best(apart(name, events, folder) for _ in range(3))
    n = results["cx"].n_events
    rows = {done.n_events for done in results.values()}
    if rows != {n}:
        sys.exit(f"the scans have found {rows} rows")
    ours = results["cx"].cpu
    table.head(f"a scan of {n:,} events, 8 columns, the best of 3", "of it, cx")
    share = ours / results["pandas"].cpu
    wanted = table.verdict(share <= 0.25, "<= 0.25")
    table.row("pandas.read_sql, the table by hand", results["pandas"], n, share, wanted)
    if has_duckdb:
        share = ours / results["duckdb"].cpu
        wanted = table.verdict(share <= 0.75, "<= 0.75")
        table.row("DuckDB's SQLite scanner, the table by hand", results["duckdb"], n, share, wanted)
        share = ours / results["duckdb-cx"].cpu
        table.row("DuckDB's SQLite scanner, cx's own file", results["duckdb-cx"], n, share)
    else:
        print("DuckDB's SQLite scanner is not there: pip install duckdb-extension-sqlite-scanner")
    table.row("cx: pyarrow.table(store.scan(columns=…))", results["cx"], n, 1.0)
    for name, label in [
        ("cx-pandas", "cx: store.scan(columns=…).to_pandas()"),
        ("cx-events", "cx: pyarrow.table(store.events()), all 30 columns"),
    ]:
        table.row(label, results[name], n, ours / results[name].cpu)


def best(runs: Iterable[job.Done]) -> job.Done:
    return min(runs, key=lambda done: done.cpu)


def main() -> None:
    if sys.argv[1] == "--contestant":
        print(json.dumps(contestant(*sys.argv[2:])))
        return
    events, cx = sys.argv[1:]
    table = Table()
    with tempfile.TemporaryDirectory() as folder:
        ingest(table, events, folder, cx)
        scan(table, events, folder)
    sys.exit(1 if table.missed else 0)


if __name__ == "__main__":
    main()
