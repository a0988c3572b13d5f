"""A store of customers' timelines, as Python sees it."""

from __future__ import annotations

import datetime as dt
import json
import os
import pickle
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cxcontext as cx
from records import BARE, CHAT, JAN, MAIL, NOTE
from records import PROVED_CALL as CALL

UTC = dt.timezone.utc
NOON = dt.datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[cx.Store]:
    with cx.open() as store:
        store.ingest(JAN, recorded_at=NOON)
        yield store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "support.cx"


def visits(n: int, *, start: int = 0) -> list[dict[str, Any]]:
    """That many visits by that many customers."""
    return [
        {
            "key": f"till/{number}",
            "source": {"system": "till"},
            "kind": "custom.visit",
            "occurred_at": f"2026-03-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:"
            f"{number % 60:02}Z",
            "who": [{"ns": "email", "value": f"c{number}@example.nl"}],
        }
        for number in range(start, start + n)
    ]


def notes(n: int) -> list[dict[str, Any]]:
    """That many notes about nobody, which are taken in fast."""
    return [
        {
            "key": f"till/{number}",
            "source": {"system": "till"},
            "kind": "note",
            "occurred_at": "2026-03-01T00:00:00Z",
        }
        for number in range(n)
    ]


# Opening and closing


def test_a_store_says_where_it_is_and_how_much_is_in_it(path: Path) -> None:
    with cx.open(path) as store:
        assert repr(store) == f"Store({str(path)!r}, customers=0, events=0)"
        store.ingest(JAN)
        assert (store.path, store.tenant, store.closed) == (path, "", False)
        counts = store.counts()
        assert (counts.customers, counts.events) == (1, len(JAN))
        assert repr(store) == f"Store({str(path)!r}, customers=1, events=5)"
    assert store.closed
    assert repr(store) == f"Store({str(path)!r}, closed)"


@pytest.mark.parametrize("place", [(), (None,), (":memory:",)])
def test_without_a_path_a_store_is_in_memory(
    place: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with cx.open(*place) as store:
        store.ingest(JAN)
        assert store.path is None
        assert repr(store) == "Store(':memory:', customers=1, events=5)"
    assert list(tmp_path.iterdir()) == []


def test_what_was_taken_in_is_there_the_next_time(path: Path) -> None:
    with cx.open(path) as store:
        store.ingest(JAN)
    with cx.open(str(path)) as store:
        assert len(store.events()) == len(JAN)


def test_a_closed_store_is_used_no_more(path: Path) -> None:
    store = cx.open(path)
    store.ingest(JAN)
    events, timeline = store.events(), store.timeline("jan@example.nl")
    customers = store.customers()
    reading = iter(events)
    store.close()
    store.close()
    uses: list[Any] = [
        lambda: store.ingest([]),
        lambda: store.import_file(path, source="jsonl"),
        lambda: store.context("jan@example.nl"),
        lambda: store.find("jan@example.nl"),
        lambda: store.timeline("jan@example.nl"),
        lambda: store.search("parcel"),
        lambda: store.who_is_waiting(),
        lambda: store.same("a@example.nl", "b@example.nl", by="agent:7"),
        lambda: store.check(),
        lambda: store.tenant,
        lambda: store.__enter__(),
        lambda: list(events),
        lambda: len(events),
        lambda: list(timeline),
        lambda: list(customers),
        lambda: list(reading),
    ]
    for use in uses:
        with pytest.raises(cx.StoreClosedError, match="closed") as caught:
            use()
        assert caught.value.path == str(path)
    with cx.open(path) as again:
        assert len(again.events()) == len(JAN)


def test_an_error_in_the_block_closes_the_store_and_passes_on(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), cx.open(path) as store:
        raise ZeroDivisionError
    assert store.closed


def test_another_process_opens_a_store_by_its_path(path: Path) -> None:
    with cx.open(path) as store:
        store.ingest(JAN)
        with pickle.loads(pickle.dumps(store)) as again:
            assert len(again.events()) == len(JAN)
        with cx.open(path, read_only=True) as reading:
            again = pickle.loads(pickle.dumps(reading))
            with pytest.raises(cx.ReadOnlyStoreError):
                again.ingest(visits(1))
            again.close()
    with cx.open() as memory, pytest.raises(TypeError, match="in this process only"):
        pickle.dumps(memory)


def test_a_pickled_store_is_the_file_that_was_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    with cx.open("s.cx", tenant="acme") as store:
        store.ingest(JAN)
        monkeypatch.chdir("sub")
        pickled = pickle.dumps(store)
        with pickle.loads(pickled) as again:
            assert (again.tenant, again.counts()) == ("acme", store.counts())
        assert not list((tmp_path / "sub").iterdir())
        assert len(list(store.events())) == len(JAN)
    (tmp_path / "s.cx").unlink()
    with pytest.raises(cx.MissingFileError):
        pickle.loads(pickled)
    assert not (tmp_path / "s.cx").exists()


@pytest.mark.skipif(os.name == "nt", reason="a file that is open cannot be taken away there")
def test_nothing_is_acknowledged_that_another_sqlite_took_the_log_of(path: Path) -> None:
    store = cx.open(path)
    store.ingest(visits(10))
    other = sqlite3.connect(path)
    other.execute("SELECT count(*) FROM event").fetchone()
    other.close()
    if Path(f"{path}-wal").exists():
        pytest.skip("Python's SQLite is the one of cx, or saw its locks")
    with pytest.raises(cx.StoreError, match="its log was taken away"):
        store.ingest(visits(10, start=10))
    store.close()
    with cx.open(path) as again:
        assert again.counts().events == 10
        assert again.ingest(visits(10, start=10)).new == 10


# Files that are none


def error_of(path: Path, **options: Any) -> cx.StoreError:
    with pytest.raises(cx.StoreError) as caught:
        cx.open(path, **options)
    assert str(path) in str(caught.value)
    assert caught.value.path == str(path)
    return caught.value


def test_a_file_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("name,email\njan,jan@example.nl\n" * 100)
    before = path.read_bytes()
    assert type(error_of(path)) is cx.ForeignFileError
    assert path.read_bytes() == before
    other = path.with_suffix(".db")
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE t(x)")
    database.close()
    assert type(error_of(other)) is cx.ForeignFileError


def test_a_file_of_a_newer_cx_is_refused(path: Path) -> None:
    cx.open(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    error = error_of(path)
    assert type(error) is cx.NewerStoreError
    assert "999" in str(error)


def test_a_file_that_was_cut_short_is_damaged(path: Path) -> None:
    with cx.open(path) as store:
        store.ingest(visits(500))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert type(error_of(path)) is cx.CorruptStoreError


def test_a_folder_is_no_store_and_a_missing_folder_is_named(tmp_path: Path) -> None:
    error_of(tmp_path)
    error_of(tmp_path / "nowhere" / "support.cx")


def test_a_file_of_another_tenant_is_refused(path: Path) -> None:
    with cx.open(path, tenant="acme") as store:
        assert store.tenant == "acme"
    error = error_of(path, tenant="other")
    assert type(error) is cx.TenantError
    assert "acme" in str(error)
    assert type(error_of(path, tenant="other", read_only=True)) is cx.TenantError
    with cx.open(path) as store:
        assert store.tenant == "acme", "who does not say gets what is there"


def test_reading_only_needs_a_file(path: Path) -> None:
    error = error_of(path, read_only=True)
    assert type(error) is cx.MissingFileError
    assert isinstance(error, FileNotFoundError)
    assert not path.exists()
    with pytest.raises(cx.InvalidArgumentError, match="give a path"):
        cx.open(read_only=True)


def test_reading_only_leaves_the_file_as_it_is(path: Path) -> None:
    with cx.open(path) as store:
        store.ingest(JAN)
    before = path.read_bytes()
    with cx.open(path, read_only=True) as store:
        assert repr(store).endswith(", read_only=True)")
        assert store.context("jan@example.nl").customer is not None
        assert [hit.event.key for hit in store.search("parcel")] == [MAIL["key"]]
        for write in (
            lambda: store.ingest(visits(1)),
            lambda: store.block("jan@example.nl", by="agent:7"),
        ):
            with pytest.raises(cx.ReadOnlyStoreError) as caught:
                write()
            assert caught.value.path == str(path)
    assert path.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are of another kind there")
def test_a_file_that_cannot_be_written_is_opened_for_reading(path: Path) -> None:
    with cx.open(path) as store:
        store.ingest(JAN)
    path.chmod(stat.S_IRUSR)
    with cx.open(path) as store:
        assert len(store.events()) == len(JAN)
        with pytest.raises(cx.ReadOnlyStoreError):
            store.ingest(visits(1))


def test_a_file_that_another_process_writes_for_too_long_is_locked(path: Path) -> None:
    # Another process: locks are not seen between two copies of SQLite in one.
    code = (
        "import sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('BEGIN IMMEDIATE')\n"
        "print('writing', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with cx.open(path) as store:
        other = subprocess.Popen(
            [sys.executable, "-c", code, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        with pytest.raises(cx.StoreLockedError, match="another process") as caught:
            store.ingest(JAN)
        assert caught.value.path == str(path)
        assert len(store.events()) == 0, "reading goes on"
        other.communicate(timeout=60)
        assert store.ingest(JAN).new == len(JAN)


# Taking in


def test_a_report_counts_every_record_once() -> None:
    with cx.open() as store:
        first = store.ingest(JAN)
        assert (first.new, first.total, first.customers) == (5, 5, 1)
        assert first.kinds == {"message": 2, "note": 1, "call": 1, "custom.visit": 1}
        again = store.ingest(JAN)
        assert (again.new, again.duplicate, again.total) == (0, 5, 5)
        changed = [{**CHAT, "rev": "3"}, {**CALL, "name": "Somebody else"}]
        report = store.ingest(changed)
        assert (report.revised, report.conflict, report.total) == (1, 1, 2)
        assert report.conflicts == (CALL["key"],)
        assert repr(report) == (
            "IngestReport(new=0, duplicate=0, revised=1, conflict=1, rejected=0)"
        )
        assert report.to_dict()["conflict"] == 1
        json.dumps(report.to_dict())
        assert store.check().is_clean


def test_a_bad_record_is_told_and_the_others_are_kept(store: cx.Store) -> None:
    rows = [
        {**BARE, "key": "till:2"},
        {**BARE, "key": "till:3", "occurred_at": dt.datetime(2026, 3, 4, 10, 2)},
        {**BARE, "key": None},
    ]
    report = store.ingest(rows)
    assert (report.new, report.rejected, report.total) == (1, 2, 3)
    assert len(report.problems) == 2
    assert report.problems[0].startswith("row 1: occurred_at: ")
    assert 'tz="Europe/Amsterdam"' in report.problems[0]
    assert report.problems[1].startswith("row 2: key: ")
    assert store.ingest(rows[1:2], tz="Europe/Amsterdam").new == 1
    assert store.event("till:3").occurred_at == dt.datetime(2026, 3, 4, 9, 2, tzinfo=UTC)


def test_who_wants_no_bad_record_gets_an_error(store: cx.Store) -> None:
    rows = [{**BARE, "key": "till:2"}, {**BARE, "key": "till:3", "kind": None}]
    with pytest.raises(cx.InvalidEventError) as caught:
        store.ingest(rows, errors="raise")
    assert (caught.value.row, caught.value.field) == (1, "kind")
    assert len(store.events()) == len(JAN), "nothing of the batch is kept"
    with pytest.raises(cx.InvalidArgumentError, match='"report", "raise"'):
        store.ingest(rows, errors="ignore")  # type: ignore[arg-type]


def test_what_is_no_table_of_events_is_refused(store: cx.Store) -> None:
    for given in (MAIL, "text", 7, None):
        with pytest.raises(cx.InvalidArgumentError) as caught:
            store.ingest(given)  # type: ignore[arg-type]
        assert caught.value.argument == "events"


def test_what_an_iterable_raises_is_passed_on(store: cx.Store) -> None:
    def failing() -> Iterator[dict[str, Any]]:
        yield visits(1)[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.ingest(failing())
    assert len(store.events()) == len(JAN)


def test_an_iterable_may_ask_the_store_it_goes_into(store: cx.Store) -> None:
    def asking() -> Iterator[dict[str, Any]]:
        for event in store.timeline("jan@example.nl"):
            yield {**event.to_dict(), "key": f"copy/{event.key}"}

    assert store.ingest(asking()).new == 4


def test_an_instant_is_recorded_as_given(path: Path) -> None:
    with cx.open(path) as store:
        store.ingest([MAIL], recorded_at="2026-03-02T10:00:00+01:00")
        fresh = store.context("jan@example.nl", as_of=NOON).provenance.sources[0]
        assert fresh.last_import == dt.datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        with pytest.raises(cx.InvalidArgumentError, match="has no zone") as caught:
            store.ingest([MAIL], recorded_at=dt.datetime(2026, 3, 2))
        assert caught.value.argument == "recorded_at"


def test_progress_is_told_after_every_batch(store: cx.Store) -> None:
    told: list[tuple[int, int | None]] = []

    def note(done: int, total: int | None) -> None:
        told.append((done, total))

    rows = notes(10_001)
    store.ingest(rows, progress=note)
    assert told == [(10_000, 10_001), (10_001, 10_001)]
    told.clear()
    store.ingest(iter(rows), progress=note)
    assert told == [(10_000, None), (10_001, None)]
    with pytest.raises(cx.InvalidArgumentError, match="callable"):
        store.ingest(rows, progress=3)  # type: ignore[arg-type]


def test_progress_may_stop_an_import_and_what_was_taken_in_stays() -> None:
    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with cx.open() as store:
        with pytest.raises(KeyboardInterrupt):
            store.ingest(notes(10_001), progress=stop)
        assert len(store.events()) == 10_000


def test_a_bar_is_shown_where_tqdm_is_there(
    store: cx.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import types

    made: list[Bar] = []

    class Bar:
        def __init__(self, total: int | None, unit: str) -> None:
            self.n, self.total, self.unit, self.closed = 0, total, unit, False
            made.append(self)

        def update(self, n: int) -> None:
            self.n += n

        def close(self) -> None:
            self.closed = True

    module = types.ModuleType("tqdm.auto")
    module.tqdm = Bar  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", module)
    store.ingest(visits(3), progress=True)
    (bar,) = made
    assert (bar.n, bar.total, bar.unit, bar.closed) == (3, 3, "records", True)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match="pip install tqdm"):
        store.ingest(visits(3), progress=True)
    assert store.ingest(visits(3), progress=False).duplicate == 3


# Tables


def test_what_is_exported_and_taken_in_again_is_all_duplicates(store: cx.Store) -> None:
    report = store.ingest(store.events())
    assert (report.duplicate, report.total) == (len(JAN), len(JAN))
    with cx.open() as other:
        assert other.ingest(store.events()).new == len(JAN)
        assert other.ingest(JAN).duplicate == len(JAN)
        assert sorted(map(str, other.customers())) == sorted(store.customers())


@pytest.mark.parametrize("library", ["polars", "pandas", "pyarrow", "duckdb"])
def test_every_library_takes_the_events_and_gives_them_back(store: cx.Store, library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    if library == "pandas":
        pytest.importorskip("pyarrow", reason="pandas reads Arrow with pyarrow")
    events = store.events()
    table: Any
    if library == "polars":
        table = events.to_polars()
    elif library == "pandas":
        table = events.to_pandas()
    elif library == "pyarrow":
        table = events.to_arrow()
    else:
        import duckdb

        table = duckdb.sql("FROM events")
    report = store.ingest(table)
    assert (report.duplicate, report.total) == (len(JAN), len(JAN)), report.problems


def test_a_table_of_several_pages_is_read_whole_and_again() -> None:
    with cx.open() as store:
        store.ingest(notes(9_000))
        events = store.events()
        assert len(events) == 9_000
        assert len({event.key for event in events}) == 9_000
        assert len(list(events)) == 9_000
        assert repr(events) == "Events(of ':memory:', rows=9000)"


def test_columns_of_others_are_named_and_kept() -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    table = polars.DataFrame(
        {
            "key": ["till/1", "till/2"],
            "kind": polars.Series(["custom.visit", "custom.visit"], dtype=polars.Categorical),
            "occurred_at": [NOON, NOON],
            "email": ["jan@example.nl", None],
            "weather": ["rain", "sun"],
        }
    )
    with cx.open() as store:
        report = store.ingest(table, source="till")
        assert (report.new, report.unmapped) == (2, ("weather",))
        assert store.event("till/1").extra == {"weather": "rain"}


# Files of other systems


def test_records_of_another_system_are_imported(store: cx.Store, tmp_path: Path) -> None:
    calls = tmp_path / "calls.json"
    call = {
        "account_sid": "AC00000000000000000000000000000001",
        "sid": "CA00000000000000000000000000000001",
        "status": "completed",
        "direction": "inbound",
        "from": "+31612345678",
        "to": "+31201234567",
        "start_time": "Wed, 04 Mar 2026 11:02:00 +0000",
        "end_time": "Wed, 04 Mar 2026 11:03:01 +0000",
        "date_created": "Wed, 04 Mar 2026 11:02:00 +0000",
        "date_updated": "Wed, 04 Mar 2026 11:03:01 +0000",
        "duration": "61",
    }
    calls.write_text(json.dumps({"calls": [call]}))
    told: list[tuple[int, int | None]] = []
    report = store.import_file(
        calls,
        source="twilio",
        region="nl",
        own_numbers="+31201234567",
        progress=lambda done, total: told.append((done, total)),
    )
    assert report.rejected == 0, report.problems
    assert report.new >= 1
    assert told[-1] == (report.total, None)
    newest = next(iter(store.timeline("jan@example.nl", order="newest")))
    assert (newest.source.system, newest.kind) == ("twilio", "call")
    again = store.import_file(
        str(calls), source="twilio", region="NL", own_numbers=["+31201234567"]
    )
    assert (again.new, again.duplicate) == (0, report.new)


def test_events_of_cx_are_imported_from_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in [*JAN, {"key": "x"}]))
    with cx.open() as store:
        report = store.import_file(file, source="jsonl")
        assert (report.new, report.rejected) == (len(JAN), 1)
        assert report.problems[0].startswith(f"{file}:{len(JAN) + 1}: ")
        assert store.ingest(JAN).duplicate == len(JAN)
        assert store.import_file(file, source="jsonl").duplicate == len(JAN)


def test_a_table_is_imported_with_its_own_names(tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text("Datum;Klant, e-mail;Wat\n2-3-2026 9:00;jan@example.nl;Waar?\n")
    columns = {"occurred_at": "Datum", "email": "Klant, e-mail", "text": "Wat"}
    constants = {
        "kind": "message",
        "channel": "email",
        "direction": "in",
        "zone": "Europe/Amsterdam",
        "time_format": "%d-%m-%Y %H:%M",
    }
    with cx.open() as store:

        def take(**options: Any) -> cx.IngestReport:
            return store.import_file(file, source="csv", instance="shop", **options)

        report = take(columns=columns, constants=constants)
        assert (report.new, report.problems) == (1, ())
        (event,) = store.timeline("jan@example.nl")
        assert event.text == "Waar?"
        assert event.occurred_at == dt.datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
        assert take(columns=columns, constants=constants).duplicate == 1
        for options, words in [
            ({"columns": {"e-mail": "Klant"}}, "no column of cx"),
            ({"columns": {"email": 'Kl"ant'}}, "quotation mark"),
            ({"columns": ["email"]}, "not a mapping"),
            ({"constants": {"zone": "Nowhere"}}, "no time zone"),
        ]:
            with pytest.raises(cx.InvalidArgumentError, match=words):
                take(**options)  # type: ignore[arg-type]
        with pytest.raises(cx.InvalidArgumentError, match="only tables"):
            store.import_file(file, source="jsonl", columns=columns)


def test_progress_may_stop_the_import_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in notes(10_001)))

    def stop(done: int, total: int | None) -> None:
        raise ZeroDivisionError

    with cx.open() as store:
        with pytest.raises(ZeroDivisionError):
            store.import_file(file, source="jsonl", progress=stop)
        assert len(store.events()) == 10_000, "what was taken in stays"


def test_a_bad_record_of_a_file_is_told_with_its_place(store: cx.Store, tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_text("{")
    report = store.import_file(file, source="zendesk", instance="acme")
    assert report.rejected == 1
    assert report.problems[0].startswith(f"{file}:")


def test_a_file_that_cannot_be_read_is_named(store: cx.Store, tmp_path: Path) -> None:
    with pytest.raises(cx.MissingFileError, match="no such file") as caught:
        store.import_file(tmp_path / "missing.json", source="zendesk")
    assert caught.value.path == str(tmp_path / "missing.json")
    with pytest.raises(cx.StoreError) as other:
        store.import_file(tmp_path, source="zendesk")
    assert other.value.path == str(tmp_path)


def test_a_source_that_nobody_knows_is_refused_with_those_there_are(store: cx.Store) -> None:
    with pytest.raises(cx.InvalidArgumentError, match='"zendesk"') as caught:
        store.import_file("x.json", source="zendsk")  # type: ignore[arg-type]
    assert (caught.value.argument, caught.value.value) == ("source", "zendsk")
    with pytest.raises(cx.InvalidArgumentError, match="region"):
        store.import_file("x.json", source="zendesk", region="Netherlands")
    with pytest.raises(cx.InvalidArgumentError, match="own"):
        store.import_file("x.json", source="zendesk", own=3)  # type: ignore[arg-type]


# Asking


def test_a_timeline_is_in_order_and_can_be_narrowed(store: cx.Store) -> None:
    def keys(**options: Any) -> list[str]:
        return [event.key for event in store.timeline("jan@example.nl", **options)]

    everything = [MAIL["key"], CHAT["key"], CALL["key"]]
    assert keys(direction="in") == everything
    assert keys(direction="in", order="newest") == everything[::-1]
    assert keys(direction="in", limit=2) == everything[:2]
    assert keys(limit=0) == []
    assert keys(channel="phone") == [CALL["key"]]
    assert keys(channel=["phone", "email"]) == [MAIL["key"], CALL["key"]]
    assert keys(kind="call") == [CALL["key"]]
    assert keys(since=dt.datetime(2026, 3, 4, tzinfo=UTC)) == [CALL["key"]]
    assert keys(until="2026-03-02T08:00:00Z") == [MAIL["key"]]
    assert keys(visibility="internal") == [NOTE["key"]]
    assert store.timeline("+31 6 1234 5678").to_dicts()[0]["key"] == MAIL["key"]
    assert [e.key for e in store.timeline("06 1234 5678", region="NL", limit=1)] == [MAIL["key"]]
    assert not store.timeline("stranger@example.nl")
    assert repr(store.timeline("jan@example.nl")) == "Events(of 'jan@example.nl' in ':memory:')"


def test_a_timeline_of_many_pages_is_read_page_by_page() -> None:
    rows = [{**row, "who": [{"ns": "email", "value": "jan@example.nl"}]} for row in visits(2_500)]
    with cx.open() as store:
        store.ingest(rows)
        timeline = store.timeline("jan@example.nl")
        assert [event.key for event in timeline] == [row["key"] for row in rows]
        assert len(timeline) == 2_500
        assert len(store.timeline("jan@example.nl", limit=1_234)) == 1_234
        reading = iter(timeline)
        next(reading)
        store.close()
        with pytest.raises(cx.StoreClosedError):
            list(reading)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"order": "sideways"}, "order"),
        ({"direction": "up"}, "direction"),
        ({"visibility": "secret"}, "visibility"),
        ({"since": "yesterday"}, "since"),
        ({"until": dt.datetime(2026, 1, 1)}, "until"),
        ({"channel": 7}, "channel"),
        ({"kind": [7]}, "kind"),
        ({"region": "Holland"}, "region"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_named(
    store: cx.Store, options: dict[str, Any], argument: str
) -> None:
    with pytest.raises(cx.InvalidArgumentError) as caught:
        store.timeline("jan@example.nl", **options)
    assert caught.value.argument == argument


@pytest.mark.parametrize("typed", ["", "hello", "nobody@example.nl", "phone:null", "cus_12"])
def test_who_is_nobody_at_all_is_refused(store: cx.Store, typed: str) -> None:
    for ask in (store.context, store.find, store.timeline, store.journeys):
        with pytest.raises(cx.InvalidArgumentError) as caught:
            ask(typed)
        assert (caught.value.argument, caught.value.value) == ("who", typed)


def test_who_holds_an_identifier_is_found(store: cx.Store) -> None:
    found = store.find("Jan@Example.NL")
    (jan,) = found.customers
    assert (found.confidence, found.is_hub, found.unattributed) == ("certain", False, 0)
    assert (jan.name, jan.links) == ("Jan Jansen", True)
    assert [jan.id] == list(store.customers())
    assert store.find(jan.id).customers[0].id == jan.id
    nobody = store.find("stranger@example.nl")
    assert (nobody.confidence, nobody.customers) == ("none", ())


def test_customers_are_read_page_by_page() -> None:
    with cx.open() as store:
        store.ingest(visits(2_100))
        ids = list(store.customers())
        assert len(set(ids)) == 2_100
        assert ids == sorted(ids)
        assert all(customer.startswith("cus_") for customer in ids)


def test_an_event_is_found_by_its_key(store: cx.Store) -> None:
    assert store.event(CALL["key"]) == cx.Event.from_dict(CALL)
    with pytest.raises(cx.NotFoundError, match="nothing/1") as caught:
        store.event("nothing/1")
    assert isinstance(caught.value, LookupError)
    with pytest.raises(cx.InvalidArgumentError, match="empty"):
        store.event("")


def test_a_conversation_is_found_by_any_of_its_keys(store: cx.Store) -> None:
    chat = store.conversation("chatwoot:acme/conversation/11")
    assert [event.key for event in chat.events] == [CHAT["key"], NOTE["key"]]
    assert chat.conversation.channels == ("chat",)
    assert chat.conversation.opened_at == dt.datetime(2026, 3, 3, 10, 0, 0, 123_456, tzinfo=UTC)
    mail = store.conversation("mail:acme/thread/0@example.nl")
    assert (mail.key, mail.aliases) == (
        "mail:acme/thread/1@example.nl",
        ("mail:acme/thread/0@example.nl",),
    )
    assert mail.conversation.subject == "Where is my parcel?"
    assert mail.conversation.last is not None
    assert mail.conversation.last.event == MAIL["key"]
    assert repr(mail) == "Transcript('mail:acme/thread/1@example.nl', new, events=1)"
    with pytest.raises(cx.NotFoundError, match="nothing"):
        store.conversation("nothing")


def test_words_are_found_where_the_audience_may_see_them(store: cx.Store) -> None:
    (hit,) = store.search("PARCEL")
    assert (hit.event.key, hit.customer) == (MAIL["key"], next(store.customers()))
    assert [hit.event.key for hit in store.search("couri*")] == [NOTE["key"]]
    assert store.search("courier", audience="customer", who="jan@example.nl") == []
    with pytest.raises(cx.InvalidArgumentError, match="tell who"):
        store.search("courier", audience="customer")
    (hit,) = store.search("parcel", audience="model")
    assert list(hit.event.who) == []
    assert hit.event.body is not None
    assert hit.event.body.text
    assert (
        store.search("order 1001", who="jan@example.nl")[0].snippet
        == "[Order] [1001] has not come."
    )
    assert store.search("parcel", who="stranger@example.nl") == []
    assert store.search("parcel", since=NOON) == []
    assert repr(store.search("1001")[0]).startswith(f"Hit({MAIL['key']!r}, ")
    for typed in ("", '"', "a AND (", "*", "NEAR(", "-x:y"):
        store.search(typed)
    with pytest.raises(cx.InvalidArgumentError, match='"agent"'):
        store.search("parcel", audience="boss")  # type: ignore[arg-type]


def test_who_waits_for_us_is_listed_first_come_first(store: cx.Store) -> None:
    mail, chat = store.who_is_waiting(as_of=NOON)
    assert store.who_is_waiting(as_of=NOON, limit=1) == [mail]
    assert store.who_is_waiting(as_of=NOON, limit=0) == []
    assert mail.conversation == "mail:acme/thread/1@example.nl"
    assert (mail.waiting_on, mail.customer) == ("us", next(store.customers()))
    assert mail.waiting_since == dt.datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    assert chat.source.system == "chatwoot"


def test_a_promise_is_breached_once_its_time_is_over(store: cx.Store) -> None:
    level = {
        **NOTE,
        "key": "chatwoot:acme/sla/1",
        "kind": "sla.applied",
        "data": {"metric": "first_response", "due_at": "2026-03-04T11:00:00Z"},
        "body": None,
    }
    assert store.ingest([level], recorded_at=NOON).rejected == 0
    key = "chatwoot:acme/conversation/11"
    for as_of, breached in ((NOON - dt.timedelta(hours=2), False), (NOON, True)):
        (waiting,) = (it for it in store.who_is_waiting(as_of=as_of) if it.conversation == key)
        (listed,) = waiting.due
        (shown,) = store.conversation(key, as_of=as_of).conversation.due
        matters = store.context("jan@example.nl", as_of=as_of).open
        (told,) = (due for matter in matters for due in matter.due)
        assert listed == shown == told
        assert (told.metric, told.breached) == ("first_response", breached)


def test_journeys_are_those_of_the_context(store: cx.Store) -> None:
    journeys = store.journeys("jan@example.nl", as_of=NOON)
    assert journeys == list(store.context("jan@example.nl", as_of=NOON).journeys)
    assert [journey.definition for journey in journeys], "a service journey has begun"
    assert store.journeys("stranger@example.nl") == []


CARE = """
id = "care"
version = 1
name = "Care"
kind = "service"
key = "customer"
inactivity = "14d"
start = { kind = "message", direction = "in" }
goal = { kind = "message", direction = "out" }
phases = [{ id = "p", name = "P" }]
touchpoints = [{ id = "question", phase = "p", when = { direction = "in" } }]
"""


def test_a_definition_of_ones_own_is_used_and_a_wrong_one_is_told(store: cx.Store) -> None:
    [journey] = store.journeys("jan@example.nl", definition=CARE, as_of=NOON)
    assert (journey.definition, journey.outcome) == ("care", "open")
    with pytest.raises(cx.InvalidArgumentError, match="patience"):
        store.journeys("jan@example.nl", definition=CARE.replace("inactivity", "patience"))


def test_journeys_are_of_all_events_and_not_of_the_latest_alone() -> None:
    store = cx.open()
    begun = dt.datetime(2026, 1, 1, tzinfo=UTC)
    record = {"source": {"system": "web"}, "who": [{"ns": "cookie", "value": "c1"}]}
    views = [
        {"key": f"v{n}", "kind": "page.viewed", "occurred_at": begun + dt.timedelta(minutes=n)}
        for n in range(5_100)
    ]
    store.ingest(record | view for view in views)
    [journey] = store.journeys("cookie:c1", as_of=begun + dt.timedelta(days=4))
    assert (journey.started, journey.steps) == (begun, 5_100)


def test_measures_are_those_of_the_command(store: cx.Store) -> None:
    [response] = store.measure("first_response", as_of=NOON)
    assert (response.measure, response.unit) == ("first_response", "seconds")
    counts = response.counts
    waits = counts.over + counts.still_waiting + counts.resolved_unanswered
    assert response.n == waits > 0
    empty = cx.open()
    for measure in ("nps", "csat", "ces", "first_resolution", "full_resolution"):
        [nothing] = empty.measure(measure, answers="latest")
        assert (nothing.n, nothing.value) == (0, None)
    with pytest.raises(cx.InvalidArgumentError, match="nsp"):
        store.measure("nsp")  # type: ignore[arg-type]


def test_journeys_of_the_past_are_of_who_was_known_then() -> None:
    def asks(key: str, address: str, day: int) -> dict[str, Any]:
        record = {"key": key, "kind": "message", "channel": "email", "direction": "in"}
        who = [{"ns": "email", "value": address, "role": "from"}]
        at = f"2026-03-{day:02}T09:00:00Z"
        actor = {"type": "customer"}
        return record | {"who": who, "occurred_at": at, "actor": actor, "body": {"text": "Where?"}}

    with cx.open() as store:
        store.ingest([asks("a", "jan@example.nl", 2), asks("b", "piet@example.com", 3)], source="m")
        store.same("jan@example.nl", "piet@example.com", by="agent:7", at="2026-03-10T00:00:00Z")
        then = "2026-03-04T00:00:00Z"
        [journey] = store.journeys("piet@example.com", as_of=then)
        [told] = store.context("piet@example.com", as_of=then).journeys
        assert journey.started == told.started == dt.datetime(2026, 3, 3, 9, tzinfo=UTC)
        assert store.journeys("piet@example.com", as_of="2026-03-11T00:00:00Z")
        assert isinstance(store.export("jan@example.nl").exported_at, dt.datetime)


# Saying who is who


def test_two_become_one_and_two_again(store: cx.Store) -> None:
    store.ingest(visits(1))
    assert len(list(store.customers())) == 2
    said = store.same("jan@example.nl", "c0@example.nl", by="agent:7", reason="he said so", at=NOON)
    assert said.startswith("ast_")
    assert len(list(store.customers())) == 1
    assert (
        store.same("c0@example.nl", "jan@example.nl", by="agent:7", reason="he said so", at=NOON)
        == said
    )
    assert len(store.assertions()) == 1, "saying it twice is saying it once"
    merge = store.context("jan@example.nl").provenance.merges[0]
    assert (merge.id, merge.by, merge.reason, merge.at) == (said, "agent:7", "he said so", NOON)
    store.revoke(said, by="agent:8")
    assert len(list(store.customers())) == 2
    same, revoke = store.assertions()
    assert (same.id, same.kind, revoke.kind, revoke.a) == (said, "same", "revoke", said)
    assert revoke.reason is None
    assert store.check().is_clean


def test_one_becomes_two(store: cx.Store) -> None:
    mail, call = store.event(MAIL["key"]), store.event(CALL["key"])
    store.different(mail, call, by="agent:7", reason="the call was his son's")
    assert len(list(store.customers())) == 2
    assert store.check().is_clean


def test_a_customer_id_stands_for_the_customer(store: cx.Store) -> None:
    store.ingest(visits(1))
    ids = list(store.customers())
    store.same(*ids, by="agent:7")
    assert len(list(store.customers())) == 1
    for customer in ids:
        assert store.find(customer).customers[0].id in ids, "both ids go on naming the customer"
    with pytest.raises(cx.NotFoundError, match="cus_"):
        store.same("cus_" + "0" * 32, ids[0], by="agent:7")


def test_of_several_holders_of_an_address_nobody_is_chosen() -> None:
    store = cx.open(":memory:")
    for day, name in enumerate(["Jan Bos", "Eva Smit"], start=1):
        store.ingest([{**MAIL, "key": f"f/{day}", "name": name}])
    assert len(list(store.customers())) == 2
    for say in (store.same, store.different, store.rekey):
        with pytest.raises(cx.InvalidArgumentError, match="several customers use it"):
            say("jan@example.nl", "eva@example.nl", by="agent:7")
    assert not store.assertions()


def test_the_other_things_that_can_be_said(store: cx.Store) -> None:
    store.block("jan@example.nl", by="agent:7")
    with pytest.warns(cx.ConflictWarning, match="the value is blocked"):
        store.trust("jan@example.nl", by="agent:7")
    store.rekey("+31612345678", "+31687654321", by="agent:7")
    store.detach(CALL["key"], "jan@example.nl", by="agent:7")
    store.detach(store.event(MAIL["key"]), "jan@example.nl", by="agent:7")
    kinds = sorted(assertion.kind for assertion in store.assertions())
    assert kinds == ["block", "detach", "detach", "rekey", "trust"]
    assert store.check().is_clean


def test_what_cannot_be_said_is_refused(store: cx.Store) -> None:
    with pytest.raises(cx.InvalidArgumentError, match="both are email:jan@"):
        store.different("jan@example.nl", "Jan@Example.NL", by="agent:7")
    with pytest.raises(cx.InvalidArgumentError) as caught:
        store.same("jan@example.nl", "c0@example.nl", by=" ")
    assert caught.value.argument == "by"
    with pytest.raises(cx.InvalidArgumentError):
        store.same("jan@example.nl", 7, by="agent:7")  # type: ignore[arg-type]
    with pytest.raises(cx.InvalidArgumentError, match="a customer, where an identifier is meant"):
        store.block(next(store.customers()), by="agent:7")
    with pytest.raises(cx.NotFoundError, match="ast_"):
        store.revoke("ast_" + "0" * 32, by="agent:7")
    with pytest.raises(cx.InvalidArgumentError, match="ast_"):
        store.revoke("yesterday", by="agent:7")
    with pytest.raises(cx.NotFoundError, match="obs_"):
        store.detach("nothing/1", "jan@example.nl", by="agent:7")
    with pytest.raises(TypeError):
        store.same("jan@example.nl", "c0@example.nl")  # type: ignore[call-arg]
    for said in (store.same, store.different):
        with pytest.raises(cx.NotFoundError, match="nobody is known by it"):
            said("jan@example.nl", "mistyped@example.nl", by="agent:7")
    for identifier, words in (("0612345678", "country code"), ("crm:12", "crm:SCOPE:VALUE")):
        for say in (store.block, store.trust):
            with pytest.raises(cx.InvalidArgumentError, match=words):
                say(identifier, by="agent:7")
        with pytest.raises(cx.InvalidArgumentError, match=words):
            store.rekey("+31612345678", identifier, by="agent:7")
        with pytest.raises(cx.InvalidArgumentError, match=words):
            store.detach(MAIL["key"], identifier, by="agent:7")
        with pytest.raises(cx.InvalidArgumentError, match=words):
            store.preview("block", identifier)
    assert store.assertions() == []
    assert store.block("0612345678", by="agent:7", region="NL")


# Checking and copying


def test_a_check_counts_and_finds_nothing_wrong(store: cx.Store) -> None:
    report = store.check()
    assert (report.is_clean, report.problems) == (True, ())
    assert (report.events, report.current, report.customers) == (5, 5, 1)
    assert repr(report) == "CheckReport(events=5, customers=1, problems=0)"
    json.dumps(report.to_dict())


def test_a_check_finds_what_somebody_changed(path: Path) -> None:
    with cx.open(path) as store:
        store.ingest(JAN)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE bundle SET n = n + 1")
    database.close()
    with cx.open(path) as store:
        report = store.check()
        assert not report.is_clean
        assert report.problems
        assert "<li>" in report._repr_html_()


def test_a_backup_is_a_store_and_overwrites_nothing(store: cx.Store, path: Path) -> None:
    store.backup(path)
    with cx.open(path) as copy:
        assert list(copy.events()) == list(store.events())
        assert copy.check().is_clean
    before = path.read_bytes()
    with pytest.raises(cx.ExistingFileError) as caught:
        store.backup(path)
    assert isinstance(caught.value, FileExistsError)
    assert caught.value.path == str(path)
    assert path.read_bytes() == before


def test_reports_in_a_notebook_show_texts_as_texts() -> None:
    with cx.open() as store:
        bad = {**BARE, "occurred_at": "<script>alert(1)</script>"}
        html = store.ingest([bad])._repr_html_()
        assert "<script" not in html
        assert "rejected" in html


@pytest.mark.skipif(os.name != "posix", reason="signals are of another kind there")
def test_ctrl_c_stops_an_import_between_batches(path: Path) -> None:
    code = f"""
        import cxcontext as cx
        def rows():
            n = 0
            while True:
                yield {{"key": f"till/{{n}}", "kind": "note", "source": {{"system": "till"}},
                        "occurred_at": "2026-03-01T00:00:00Z"}}
                n += 1
        with cx.open({str(path)!r}) as store:
            print("ready", flush=True)
            try:
                store.ingest(rows())
            except KeyboardInterrupt:
                print(len(store.events()), store.check().is_clean, flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    n_events, is_clean = out.split()
    assert (int(n_events) % 10_000, is_clean) == (0, "True")
    assert process.returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_copy_of_the_process_opens_the_file_anew(path: Path) -> None:
    store = cx.open(path)
    store.ingest(visits(1))
    copy = os.fork()
    if copy == 0:
        code = 1
        try:
            refused = 0
            for work in (store.counts, lambda: store.ingest(visits(1, start=1))):
                try:
                    work()
                except cx.StoreError as error:
                    refused += "open it anew" in str(error)
            del store
            with cx.open(path) as own:
                own.ingest(visits(1, start=2))
            code = 0 if refused == 2 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == 0
    store.ingest(visits(1, start=3))
    store.close()
    with cx.open(path) as again:
        assert again.counts().events == 3


def test_a_warning_that_is_an_error_says_what_was_recorded(store: cx.Store) -> None:
    store.block("jan@example.nl", by="agent:7")
    with pytest.raises(cx.ConflictWarning, match="is recorded; ") as caught:
        store.trust("jan@example.nl", by="agent:7", reason="a\0b")
    [trust] = [said for said in store.assertions() if said.kind == "trust"]
    assert caught.value.assertion == trust.id


def test_who_was_erased_is_told_to_be(store: cx.Store) -> None:
    [customer] = list(store.customers())
    found = store.find(customer)
    assert found.customers[0].n_events == len(list(store.timeline(customer)))
    assert not found.is_erased
    done = store.erase(customer, mode="delete", compact=True)
    assert isinstance(done.erased_at, dt.datetime)
    assert isinstance(done.compacted_at, dt.datetime)
    assert isinstance(store.erasures()[0].erased_at, dt.datetime)
    assert store.find(customer).is_erased
    assert not store.find("cus_" + "0" * 32).is_erased
    with pytest.raises(cx.NotFoundError, match=customer):
        store.same(customer, "x@example.nl", by="agent:7")


def test_instants_of_retention_are_instants(store: cx.Store) -> None:
    rules = '[[rule]]\nchannel = "email"\nkeep = "1 day"'
    preview = store.retention_preview(rules, now=NOON)
    assert preview.now == NOON
    assert isinstance(preview.due[0].oldest, dt.datetime)
    assert isinstance(preview.due[0].newest, dt.datetime)
    assert isinstance(store.retain(rules, now=NOON).retained_at, dt.datetime)


def test_what_is_written_while_events_are_read_does_not_belong_to_them() -> None:
    with cx.open() as store:
        store.ingest(visits(12_000))

        def copies() -> Iterator[dict[str, Any]]:
            for event in store.events():
                yield {**event.to_dict(), "key": f"{event.key}/copy"}

        assert store.ingest(copies()).new == 12_000


def test_no_names_at_all_are_no_filter(store: cx.Store) -> None:
    who = "jan@example.nl"
    nothing: list[str] = []
    for names in (nothing, iter(nothing)):
        with pytest.raises(cx.InvalidArgumentError, match="channel"):
            store.timeline(who, channel=names)
        with pytest.raises(cx.InvalidArgumentError, match="kind"):
            store.timeline(who, kind=names)
    assert store.search("parcel", limit=1)
    assert store.search("parcel", limit=0) == []


def test_numbers_below_nothing_are_refused_by_name(store: cx.Store) -> None:
    who = "jan@example.nl"
    asks: list[tuple[str, Any]] = [
        ("limit", lambda: store.search("x", limit=-1)),
        ("limit", lambda: store.timeline(who, limit=-1)),
        ("limit", lambda: store.changes(limit=-1)),
        ("after", lambda: store.changes(-1)),
        ("limit", lambda: store.proposals(limit=-1)),
        ("limit", lambda: store.who_is_waiting(limit=-1)),
        ("items", lambda: store.context(who, items=-1)),
        ("characters", lambda: store.context(who, characters=-1)),
        ("max_tokens", lambda: store.context(who).to_markdown(max_tokens=-1)),
        ("max_bytes", lambda: store.remember(-1)),
        ("most", lambda: store.propose(most=-1)),
    ]
    for argument, ask in asks:
        with pytest.raises(cx.InvalidArgumentError) as caught:
            ask()
        assert caught.value.argument == argument
    early = dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=1)))
    with pytest.raises(cx.InvalidArgumentError, match="outside the years"):
        store.context(who, as_of=early)


def test_what_is_no_region_and_nothing_of_ours_is_refused(store: cx.Store, tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text("key,kind,occurred_at\n")
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("region", {"region": "UK"}),
        ("own", {"own": ["@@@"]}),
        ("own_numbers", {"own_numbers": "abc"}),
        ("own_numbers", {"own_numbers": "020 1234567"}),
    ]
    for argument, options in wrong:
        with pytest.raises(cx.InvalidArgumentError) as caught:
            store.import_file(file, source="csv", **options)
        assert caught.value.argument == argument
    with pytest.raises(cx.InvalidArgumentError, match="ZZ"):
        store.find("0612345678", region="ZZ")
    store.import_file(
        file, source="csv", region="nl", own=["shop.example"], own_numbers=["020 1234567", "1400"]
    )


def test_tables_of_a_closed_store_say_so() -> None:
    store = cx.open()
    store.ingest(JAN)
    events = store.events()
    store.close()
    assert repr(events) == "Events(of ':memory:', closed)"
    assert "closed" in events._repr_html_()
    with pytest.raises(cx.StoreClosedError):
        list(events)
