"""A scan gives columns of all events, as they stand in the store, to the libraries of Arrow."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
import shutil
import threading
from typing import Any

import pytest

import cxcontext as cx
from records import STORY

ALL = [
    "key",
    "occurred_at",
    "kind",
    "channel",
    "direction",
    "visibility",
    "source",
    "conversation",
    "customer",
    "rev",
    "json",
]

N = 20_000
"""More than a range of the scan has: 16,384."""


def many(first: int, n: int) -> list[dict[str, Any]]:
    """Calls and chats of a hundred persons, one a second."""
    start = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
    return [
        {
            "key": f"t/{i}",
            "kind": "call" if i % 3 else "message",
            "channel": "phone" if i % 3 else "chat",
            "direction": "in",
            "occurred_at": start + dt.timedelta(seconds=i),
            "who": [{"ns": "email", "value": f"p{i % 100}@example.nl", "role": "from"}],
            **({} if i % 3 else {"conversation": {"key": f"t/case/{i % 700}"}}),
            "body": {"text": "é" * (i % 40)},
        }
        for i in range(first, first + n)
    ]


def id_of(store: cx.Store, who: str) -> str:
    customer = store.context(who).customer
    assert customer is not None
    return customer.id


def filled(n: int) -> cx.Store:
    store = cx.open()
    store.ingest(many(0, n), source="t")
    return store


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A file of so many events that they are read in two ranges, for tests to copy."""
    path = tmp_path_factory.mktemp("scan") / "long.cx"
    with cx.open(path) as store:
        store.ingest(many(0, N), source="t")
    return path


@pytest.fixture
def long(long_file: pathlib.Path, tmp_path: pathlib.Path) -> cx.Store:
    return cx.open(shutil.copy(long_file, tmp_path / "a.cx"))


def test_each_row_is_what_the_event_says() -> None:
    store = cx.open()
    store.ingest(STORY)
    rows = store.scan().to_dicts()
    assert [list(row) for row in rows] == [ALL] * len(STORY)
    for row, event, cells in zip(rows, store.events(), store.events().to_dicts(), strict=True):
        for same in ("key", "occurred_at", "kind", "channel", "direction", "visibility", "rev"):
            assert row[same] == cells[same]
        assert row["conversation"] == cells["conversation"]
        source = [cells["source_system"], cells["source_instance"]]
        assert row["source"] == ":".join(part for part in source if part)
        assert cx.Event.from_dict(json.loads(row["json"])) == event
        if row["customer"] is not None:
            assert event in list(store.timeline(row["customer"]))


def test_all_rows_of_a_file_longer_than_a_range_are_there_once(long: cx.Store) -> None:
    pa = pytest.importorskip("pyarrow")
    with long as store:
        scan = store.scan()
        table = scan.to_arrow()
        expected = store.events().to_arrow()
        assert table.column_names == scan.columns == ALL
        for name in ("key", "occurred_at", "conversation", "rev"):
            assert table[name].equals(expected[name])
        for name in ("kind", "channel", "direction", "visibility"):
            assert table[name].cast(pa.string()).equals(expected[name])
        ids = {f"p{i}@example.nl": id_of(store, f"p{i}@example.nl") for i in range(100)}
        assert table["customer"].to_pylist() == [
            ids[mail] for mail in expected["email"].to_pylist()
        ]
        assert scan.to_arrow() == table, "and again"
        assert len(scan) == table.num_rows == N


def test_an_event_of_several_revisions_stands_once_as_it_is_shown() -> None:
    store = cx.open()
    event = {**many(0, 1)[0], "rev": "1"}
    store.ingest([event], source="t")
    store.ingest([{**event, "rev": "2", "channel": "web"}], source="t")
    assert [(row["rev"], row["channel"]) for row in store.scan().to_dicts()] == [("2", "web")]


def test_a_merge_shows_in_the_next_reading() -> None:
    store = filled(n=2)
    scan = store.scan("customer")
    assert len({row["customer"] for row in scan.to_dicts()}) == 2
    store.same("p0@example.nl", "p1@example.nl", by="agent:7")
    assert len({row["customer"] for row in scan.to_dicts()}) == 1


def test_only_what_is_asked_for_is_there() -> None:
    store = filled(n=100)
    scan = store.scan(["kind", "key"], since="2026-01-01T00:00:10Z", until="2026-01-01T00:00:19Z")
    assert scan.columns == ["kind", "key"]
    assert {row["key"] for row in scan.to_dicts()} == {f"t/{i}" for i in range(10, 20)}
    assert len(scan) == 10
    assert store.scan("json").columns == ["json"]
    assert len(store.scan(since="2027-01-01T00:00:00Z")) == 0


def test_gaps_that_erased_people_leave_are_passed_over(tmp_path: pathlib.Path) -> None:
    with cx.open(tmp_path / "a.cx") as store:
        gone = [
            {**event, "who": [{"ns": "email", "value": "gone@example.nl", "role": "from"}]}
            for event in many(0, N)
        ]
        store.ingest(many(100_000, 10), source="t")
        store.ingest(gone, source="t")
        store.ingest(many(200_000, 10), source="t")
        store.erase("gone@example.nl", mode="delete")
        keys = [row["key"] for row in store.scan("key").to_dicts()]
        assert sorted(keys[:10]) == [f"t/{i}" for i in range(100_000, 100_010)]
        assert sorted(keys[10:]) == [f"t/{i}" for i in range(200_000, 200_010)]


def test_an_empty_store_is_an_empty_table() -> None:
    pa = pytest.importorskip("pyarrow")
    scan = cx.open().scan()
    assert (len(scan), scan.to_dicts(), scan.to_arrow().num_rows) == (0, [], 0)
    assert scan.to_arrow().schema == pa.schema(scan)
    assert "<td>" not in scan._repr_html_()


def test_the_types_are_those_that_are_told() -> None:
    pa = pytest.importorskip("pyarrow")
    schema = pa.schema(cx.open().scan())
    names = pa.dictionary(pa.int32(), pa.string())
    text = pa.string()
    assert [(field.name, field.type, field.nullable) for field in schema] == [
        ("key", text, False),
        ("occurred_at", pa.timestamp("us", tz="UTC"), False),
        ("kind", names, False),
        ("channel", names, False),
        ("direction", names, False),
        ("visibility", names, False),
        ("source", names, False),
        ("conversation", text, True),
        ("customer", text, True),
        ("rev", text, True),
        ("json", text, False),
    ]


def test_every_library_reads_it(long: cx.Store) -> None:
    pa = pytest.importorskip("pyarrow")
    pl = pytest.importorskip("polars")
    pd = pytest.importorskip("pandas")
    duckdb = pytest.importorskip("duckdb")
    scan = long.scan()
    rows = scan.to_dicts()
    assert scan.to_arrow().to_pylist() == rows
    frame = scan.to_polars()
    assert frame.schema["kind"] == pl.Categorical
    assert frame.to_dicts() == rows
    data = scan.to_pandas()
    assert isinstance(data["kind"].dtype, pd.CategoricalDtype)
    assert str(data["occurred_at"].dtype) == "datetime64[us, UTC]"
    assert data["key"].tolist() == [row["key"] for row in rows]
    assert data["kind"].tolist() == [row["kind"] for row in rows]
    found = duckdb.sql(
        "select kind, count(*) from scan where direction = 'in' group by 1 order by 1"
    )
    assert found.fetchall() == [("call", 13_333), ("message", 6_667)]
    assert pa.RecordBatchReader.from_stream(scan).read_all().num_rows == N


def test_new_names_may_come_between_two_batches(long: cx.Store) -> None:
    pa = pytest.importorskip("pyarrow")
    with long as store:
        reader = pa.RecordBatchReader.from_stream(store.scan(["key", "kind", "customer"]))
        first = reader.read_next_batch()
        # Records that are revised while they are read are among them as they are then, too.
        new = [{**event, "kind": "custom.visit", "rev": "2"} for event in many(N // 2, N // 2)]
        for event in new:
            event["who"] = [{"ns": "email", "value": "new@example.nl"}]
        store.ingest(new, source="t")
        whole = pa.Table.from_batches([first, *reader])
        assert set(whole["key"].to_pylist()) == {f"t/{i}" for i in range(N)}
        assert whole["kind"].to_pylist()[-1] == "custom.visit"
        assert whole["customer"].to_pylist()[-1] == id_of(store, "new@example.nl")
        assert whole.to_pandas()["kind"].tolist()[-1] == "custom.visit"


def test_reading_while_others_write_misses_nothing(long: cx.Store) -> None:
    pa = pytest.importorskip("pyarrow")
    with long as store:
        stop = threading.Event()

        def write() -> None:
            first = N
            while not stop.is_set():
                store.ingest(many(first, 200), source="t")
                first += 200

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(3):
                keys = set(pa.table(store.scan("key"))["key"].to_pylist())
                assert keys >= {f"t/{i}" for i in range(N)}
                assert keys == {f"t/{i}" for i in range(len(keys))}
        finally:
            stop.set()
            writer.join()


def test_a_scan_of_a_read_only_file_and_of_four_threads(long_file: pathlib.Path) -> None:
    pa = pytest.importorskip("pyarrow")
    with cx.open(long_file, read_only=True) as store:
        scan, expected, read = store.scan(), store.scan().to_arrow(), []
        threads = [threading.Thread(target=lambda: read.append(pa.table(scan))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read == [expected] * 4


def test_a_column_that_is_none_is_refused_by_name() -> None:
    store = cx.open()
    with pytest.raises(cx.InvalidArgumentError) as caught:
        store.scan(["key", "ocurred_at"])  # type: ignore[list-item]
    assert str(caught.value) == (
        'columns: "ocurred_at": no such column, is "occurred_at" meant? There are: '
        + ", ".join(ALL)
    )
    with pytest.raises(cx.InvalidArgumentError, match="no such column; there are: key, "):
        store.scan("flavour")  # type: ignore[arg-type]
    with pytest.raises(cx.InvalidArgumentError, match="at least one"):
        store.scan([])
    with pytest.raises(cx.InvalidArgumentError, match="named twice"):
        store.scan(["key", "key"])


def test_a_closed_store_says_so() -> None:
    pa = pytest.importorskip("pyarrow")
    store = filled(n=10)
    scan = store.scan()
    reader = pa.RecordBatchReader.from_stream(store.scan())
    store.close()
    with pytest.raises(cx.StoreClosedError):
        scan.to_dicts()
    with pytest.raises(cx.StoreClosedError):
        store.scan()
    with pytest.raises(pa.lib.ArrowException, match="the store is closed"):
        reader.read_all()


def test_it_shows_itself() -> None:
    scan = filled(n=12).scan(["key", "occurred_at", "kind", "json"])
    assert repr(scan) == "Scan(of ':memory:': key, occurred_at, kind, json)"
    html = scan._repr_html_()
    assert html.count("<tr>") == 11
    assert "2026-01-01T00:00:09Z" in html
    assert "… Scan(of" in html
    assert '"' not in html.split("<table>")[1].replace("&quot;", "")


def test_two_sources_of_one_name_are_one_category() -> None:
    pytest.importorskip("pyarrow")
    sources = [{"system": "a", "instance": "b"}, {"system": "a:b"}, {"system": "c"}]
    with cx.open() as store:
        for number, source in enumerate(sources):
            store.ingest([{**many(number, 1)[0], "source": source}])
        frame = store.scan(["source"]).to_pandas()
        assert list(frame.source) == ["a:b", "a:b", "c"]


def test_what_is_written_while_it_is_scanned_does_not_belong_to_it() -> None:
    pytest.importorskip("pyarrow")
    with cx.open() as store:
        store.ingest(many(0, 3_000), source="t")
        import pyarrow as pa

        reader = pa.RecordBatchReader.from_stream(store.scan(["key"]))
        n = reader.read_next_batch().num_rows
        store.ingest(many(3_000, 3_000), source="t")
        n += sum(batch.num_rows for batch in reader)
        assert n == 3_000
