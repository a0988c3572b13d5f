"""Tables of events cross to the libraries that people use, and come back as they were."""

from __future__ import annotations

import datetime as dt
import gc
import json
import threading
from typing import Any

import pytest

import cxcontext as cx
from records import BARE, CALL, STORY

EVENTS = [cx.Event.from_dict(record) for record in STORY]
UTC = dt.timezone.utc


def table() -> cx.Events:
    return cx.Events(STORY)


def refused(rows: Any, **options: Any) -> cx.InvalidEventError:
    with pytest.raises(cx.InvalidEventError) as caught:
        cx.Events(rows, **options)
    return caught.value


class Capsule:
    """Another library's table, of which only the Arrow interface is known."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.inner.__arrow_c_stream__(requested_schema)


def test_a_table_is_what_it_holds() -> None:
    events = table()
    assert len(events) == len(STORY)
    assert bool(events)
    assert not cx.Events([])
    assert list(events) == EVENTS
    assert list(events) == EVENTS, "and again"
    assert repr(events) == "Events(in memory, rows=5)"


def test_rows_have_one_value_for_each_column() -> None:
    rows = table().to_dicts()
    assert [list(row) for row in rows] == [cx.Events.columns] * len(STORY)
    mail, chat, note, call, bare = rows
    assert mail["occurred_at"] == dt.datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    assert mail["utc_offset"] == "+01:00"
    assert (mail["email"], mail["phone"]) == ("jan@example.nl", None)
    assert (call["email"], call["phone"]) == ("jan@example.nl", "+31612345678")
    assert (mail["conversation"], mail["subject"]) == (
        "mail:acme/thread/1@example.nl",
        "Where is my parcel?",
    )
    assert (chat["text"], chat["lang"], chat["seq"], chat["rev"]) == ("", "nl", 7, "2")
    assert (note["visibility"], note["actor"], note["actor_name"]) == ("internal", "agent", "Sam")
    assert json.loads(call["data"]) == {"duration_s": 61, "outcome": "answered"}
    assert json.loads(mail["rest"])["loyalty_tier"] == "gold"
    assert [name for name, value in bare.items() if value is not None] == [
        "key",
        "kind",
        "channel",
        "direction",
        "visibility",
        "occurred_at",
        "occurred_at_origin",
        "actor",
        "source_system",
    ]


def test_a_table_reads_back_what_it_writes() -> None:
    assert list(cx.Events(table())) == EVENTS
    assert list(cx.Events(Capsule(table()))) == EVENTS


def test_pyarrow_reads_it_lazily_again_and_again() -> None:
    pa = pytest.importorskip("pyarrow")
    events = table()
    frame = pa.table(events)
    assert frame.column_names == cx.Events.columns
    assert frame.schema.field("occurred_at").type == pa.timestamp("us", tz="UTC")
    assert frame.schema == pa.schema(events)
    assert events.to_arrow() == frame
    reader = pa.RecordBatchReader.from_stream(events)
    assert reader.read_next_batch().num_rows == len(STORY)
    del reader
    gc.collect()
    assert list(cx.Events(frame)) == EVENTS
    assert list(cx.Events(pa.RecordBatchReader.from_stream(events))) == EVENTS


def test_polars_reads_it() -> None:
    pl = pytest.importorskip("polars")
    frame = table().to_polars()
    assert frame.columns == cx.Events.columns
    assert frame.schema["occurred_at"] == pl.Datetime("us", "UTC")
    assert frame["key"].to_list() == [record["key"] for record in STORY]
    assert frame.to_dicts() == table().to_dicts()
    assert list(cx.Events(frame)) == EVENTS
    categories = frame.with_columns(pl.col("kind", "channel", "email").cast(pl.Categorical))
    assert list(cx.Events(categories)) == EVENTS


def test_pandas_reads_it() -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = table().to_pandas()
    assert str(frame["occurred_at"].dtype) == "datetime64[us, UTC]"
    assert str(frame["text"].dtype) == "str"
    assert list(cx.Events(frame)) == EVENTS
    assert str(frame["seq"].dtype) == "UInt64"
    odd = frame.astype({"kind": "category", "channel": object})
    odd["occurred_at"] = odd["occurred_at"].astype("datetime64[ms, UTC]")
    assert [event.key for event in cx.Events(odd)] == [event.key for event in EVENTS]
    assert isinstance(frame, pd.DataFrame)


def test_duckdb_reads_a_local_variable_twice_in_one_query() -> None:
    duckdb = pytest.importorskip("duckdb")
    events = table()
    joined = duckdb.sql(
        "select a.key, b.channel from events a join events b using (key) order by a.occurred_at"
    )
    assert joined.fetchall()[0] == ("till:1", "other")
    pytest.importorskip("pyarrow")
    assert list(cx.Events(duckdb.sql("from events").arrow())) == EVENTS
    assert list(cx.Events(duckdb.sql("from events"))) == EVENTS
    assert len(events) == len(STORY)


def test_four_threads_read_at_once() -> None:
    pa = pytest.importorskip("pyarrow")
    events, expected, read = table(), pa.table(table()), []
    threads = [threading.Thread(target=lambda: read.append(pa.table(events))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [expected] * 4


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(ImportError, match="pip install polars"):
        table().to_polars()


def test_a_flat_table_needs_little() -> None:
    pa = pytest.importorskip("pyarrow")
    rows = pa.table(
        {
            "key": [1, 2],
            "kind": ["message", "call"],
            "channel": ["email", "phone"],
            "direction": ["in", "in"],
            "occurred_at": pa.array([0, 1], pa.timestamp("s", "UTC")),
            "email": ["jan@example.nl", None],
            "phone": [None, "+31 6 1234 5678"],
            "text": ["Hello", None],
            "branch": ["north", None],
            "visits": [3, 4],
        }
    )
    mail, call = cx.Events(rows, source="crm:acme")
    source = {"system": "crm", "instance": "acme", "object": "row", "id": "1"}
    assert mail.source.to_dict() == source
    assert mail.key == "crm:acme/row/1"
    assert [(claim.ns, claim.value, claim.assurance) for claim in mail.who] == [
        ("email", "jan@example.nl", "channel_proved")
    ]
    assert [(claim.ns, claim.value) for claim in call.who] == [("phone", "+31 6 1234 5678")]
    assert mail.text == "Hello"
    assert call.text is None
    assert mail.extra == {"branch": "north", "visits": 3}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_instants_of_every_unit_are_read(unit: str) -> None:
    pa = pytest.importorskip("pyarrow")
    at = pa.array([dt.datetime(2026, 3, 4, 9, 2, 5, tzinfo=UTC)], pa.timestamp(unit, "UTC"))
    rows = pa.table({"key": ["k"], "kind": ["call"], "source_system": ["x"], "occurred_at": at})
    (event,) = cx.Events(rows)
    assert event.occurred_at == dt.datetime(2026, 3, 4, 9, 2, 5, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
@pytest.mark.parametrize("dictionary", [False, True])
def test_text_of_every_type_is_read(kind: str, dictionary: bool) -> None:
    pa = pytest.importorskip("pyarrow")
    made = getattr(pa, kind)()
    text = pa.array(["crm", None, "crm"], made)
    if dictionary:
        indices = pa.array([0, None, 0], pa.int8())
        text = pa.DictionaryArray.from_arrays(indices, pa.array(["crm"], made))
    rows = pa.table(
        {
            "key": ["a", "b", "c"],
            "kind": ["call"] * 3,
            "occurred_at": pa.array([0, 1, 2], pa.timestamp("us", "UTC")),
            "source_system": ["x"] * 3,
            "name": text,
        }
    )
    assert [event.name for event in cx.Events(rows)] == ["crm", None, "crm"]


def test_nested_columns_are_read_as_json_is() -> None:
    pl = pytest.importorskip("polars")
    rows = pl.DataFrame(
        [
            {
                "key": "k",
                "kind": "call",
                "source_system": "x",
                "occurred_at": dt.datetime(2026, 3, 4, tzinfo=UTC),
                "who": [{"ns": "phone", "value": "+31612345678", "scope": None}],
                "data": {"duration_s": 61, "outcome": None},
                "extra": {"tags": ["a", "b"]},
                "lang": None,
            }
        ]
    )
    (event,) = cx.Events(rows)
    assert event.who[0].value == "+31612345678"
    assert event.data == {"duration_s": 61}
    assert event.extra == {"tags": ["a", "b"]}


def frame(**columns: Any) -> Any:
    pl = pytest.importorskip("polars")
    columns = {
        "key": ["a", "b"],
        "kind": ["call", "call"],
        "source_system": ["x", "x"],
        "occurred_at": [dt.datetime(2026, 7, 4, 10, 2, tzinfo=UTC)] * 2,
        **columns,
    }
    return pl.DataFrame({name: column for name, column in columns.items() if column is not None})


def test_times_without_a_zone_are_refused_with_the_way_out() -> None:
    naive = frame(occurred_at=[dt.datetime(2026, 7, 4, 10, 2)] * 2)
    error = refused(naive)
    assert error.field == "occurred_at"
    assert 'tz="Europe/Amsterdam"' in str(error)
    first, _ = cx.Events(naive, tz="Europe/Amsterdam")
    assert first.occurred_at == dt.datetime(2026, 7, 4, 8, 2, tzinfo=UTC)
    assert first.utc_offset == "+02:00"


@pytest.mark.parametrize(
    ("columns", "row", "field", "words"),
    [
        ({"key": None}, None, "key", "no such column; there are: kind"),
        ({"kind": ["call", None]}, 1, "kind", "missing"),
        ({"direction": ["in", "sideways"]}, 1, "direction", "sideways"),
        ({"data": ["{}", "{"]}, 1, "data", "not JSON"),
        ({"data": ["{}", "[]"]}, 1, "data", "not an object"),
        ({"who": ["[]", "{}"]}, 1, "who", "not a list"),
        ({"seq": [1, -1]}, 1, "seq", ""),
        ({"blob": [b"a", b"b"]}, None, "blob", "cast it to text"),
    ],
)
def test_an_error_names_the_row_and_the_column(
    columns: dict[str, Any], row: int | None, field: str, words: str
) -> None:
    error = refused(frame(**columns))
    assert (error.row, error.field) == (row, field)
    assert words in str(error)


def test_rows_are_counted_over_the_whole_iterable() -> None:
    error = refused(iter([CALL, BARE, {**CALL, "occurred_at": "soon"}]))
    assert error.row == 2
    assert str(error).startswith("row 2: occurred_at: ")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (CALL, "put it into a list"),
        ("text", "import_file"),
        (7, "not an iterable"),
    ],
)
def test_what_is_no_table_is_refused(given: Any, words: str) -> None:
    with pytest.raises(cx.InvalidArgumentError, match=words):
        cx.Events(given)


def test_a_lazy_frame_is_told_to_collect() -> None:
    pl = pytest.importorskip("polars")
    with pytest.raises(cx.InvalidArgumentError, match=r"\.collect\(\)"):
        cx.Events(pl.LazyFrame({"key": []}))


def test_an_error_of_the_iterable_is_passed_on() -> None:
    def broken() -> Any:
        yield CALL
        raise RuntimeError("the line went dead")

    with pytest.raises(RuntimeError, match="the line went dead"):
        cx.Events(broken())


def test_an_error_of_the_stream_is_passed_on() -> None:
    pa = pytest.importorskip("pyarrow")

    def broken() -> Any:
        yield pa.record_batch(pa.table(table()).to_batches()[0])
        raise RuntimeError("the line went dead")

    schema = pa.schema(table())
    with pytest.raises(cx.TableError, match="the line went dead"):
        cx.Events(pa.RecordBatchReader.from_batches(schema, broken()))


def test_a_stream_is_read_once() -> None:
    pa = pytest.importorskip("pyarrow")

    class Once:
        capsule = pa.table(table()).__arrow_c_stream__()

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return self.capsule

    once = Once()
    assert len(cx.Events(once)) == len(STORY)
    with pytest.raises(cx.TableError, match="read before"):
        cx.Events(once)


def test_what_has_to_be_read_to_be_counted_is_not_counted() -> None:
    class Relation(Capsule):
        def __len__(self) -> int:
            raise AssertionError

    store = cx.open()
    told: list[int | None] = []
    report = store.ingest(Relation(table()), progress=lambda done, total: told.append(total))
    assert (report.new, told) == (len(STORY), [None])


def test_a_capsule_of_another_kind_is_refused() -> None:
    class Wrong:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return table().__arrow_c_schema__()

    with pytest.raises(ValueError, match="incorrect name"):
        cx.Events(Wrong())


def test_a_notebook_shows_the_first_rows_and_runs_nothing() -> None:
    hostile = {**CALL, "kind": "custom.<script>alert(1)</script>", "body": {"text": "<b>&'\""}}
    shown = cx.Events([hostile] * 12)._repr_html_()
    assert shown.count("<tr>") == 11
    assert "<script" not in shown
    assert "&lt;b&gt;&amp;&#39;&quot;" in shown
    assert "rows=12" in shown
    assert "http" not in shown
