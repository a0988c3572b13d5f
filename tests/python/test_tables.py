"""Tables of other people, with all that stands in them, become events."""

from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import cxcontext as cx

UTC = dt.timezone.utc


def refused(rows: Any, **options: Any) -> cx.InvalidEventError:
    with pytest.raises(cx.InvalidEventError) as caught:
        cx.Events(rows, **options)
    return caught.value


def row(**cells: Any) -> dict[str, Any]:
    return {"key": "a", "kind": "note", "occurred_at": "2026-01-01T00:00:00Z", **cells}


def of_table(*rows: dict[str, Any], **options: Any) -> list[cx.Event]:
    return list(cx.Events(pl.DataFrame(list(rows)), source="crm", **options))


def test_no_column_is_thrown_away() -> None:
    cells = {"customer": "Acme B.V.", "recorded_at": "x", "other": "y"}
    with cx.open() as store:
        report = store.ingest(pl.DataFrame([row(**cells)]), source="crm")
        assert report.unmapped == ("customer", "recorded_at", "other")
        assert [event.extra for event in store.events()] == [cells]
        # What a scan writes there is no news.
        report = store.ingest(pl.DataFrame([row(key="b", customer="cus_" + "0" * 32)]), source="x")
        assert report.unmapped == ()
        assert store.event("x/row/b").extra == {}


def test_an_unnamed_index_says_nothing() -> None:
    frame = pd.DataFrame([row(), row(key="b")]).rename(index={0: 7, 1: 9})
    with cx.open() as store:
        report = store.ingest(frame, source="crm")
        assert (report.new, report.unmapped) == (2, ())
        assert [event.extra for event in store.events()] == [{}, {}]


def test_addresses_beside_who_are_claimed_too() -> None:
    who = '[{"ns": "crm", "value": "1"}, {"ns": "email", "value": "B@example.nl"}]'
    [event] = of_table(row(who=who, email="a@example.nl", phone="+31612345678"))
    assert [claim.value for claim in event.who] == [
        "1",
        "B@example.nl",
        "a@example.nl",
        "+31612345678",
    ]
    [event] = of_table(row(who=who, email="b@example.nl"))
    assert len(event.who) == 2, "it is there, written otherwise"
    who = '[{"ns": "crm", "value": "1", "role": "from"}]'
    [event] = of_table(row(direction="in", who=who, email="a@example.nl"))
    assert [claim.role for claim in event.who] == ["from", "from"]


def test_what_identifies_nobody_is_kept_and_not_claimed() -> None:
    nobody = ["noreply@example.nl", "n/a", "nan"]
    events = of_table(*(row(key=cell, email=cell, actor="", seq="") for cell in nobody))
    assert [event.extra for event in events] == [{"email": cell} for cell in nobody]
    assert all(event.who == () for event in events)
    [event] = of_table(row(email=" ", phone="", who="", data="", conversation="", subject=""))
    assert (event.who, event.extra, event.conversation) == ((), {}, None)


def test_local_numbers_of_a_column_are_read_in_a_region() -> None:
    with cx.open() as store:
        store.ingest(pl.DataFrame([row(phone="06 12345678")]), source="crm", region="nl")
        assert store.find("+31612345678").confidence == "certain"


def test_times_without_a_zone_are_of_the_zone_that_is_named() -> None:
    for written in ("2026-01-01 00:00:00", "2026-01-01T00:00:00", "2026-01-01"):
        assert "zone" in str(refused(pl.DataFrame([row(occurred_at=written)]), source="crm"))
        [event] = of_table(row(occurred_at=written), tz="Europe/Amsterdam")
        assert event.to_dict()["utc_offset"] == "+01:00"
        assert event.occurred_at == dt.datetime(2025, 12, 31, 23, tzinfo=UTC)


def test_a_column_in_a_zone_keeps_its_offset() -> None:
    for zone, offset in [("Europe/Amsterdam", "+01:00"), ("-03:30", "-03:30"), ("UTC", None)]:
        at = pd.to_datetime(["2026-01-01"]).tz_localize(zone)
        frame = pd.DataFrame([row(kind="page.viewed", email="a@example.nl")]).assign(occurred_at=at)
        [event] = cx.Events(frame, source="crm")
        assert event.utc_offset == offset
        assert [event] == list(cx.Events(frame.to_dict("records"), source="crm"))


def test_ids_that_became_floats_are_ids() -> None:
    columns = ["conversation", "source_id", "rev", "actor_id"]
    rows = [row(**dict.fromkeys(columns, 1001)), row(key="b", **dict.fromkeys(columns))]
    frame = pd.DataFrame(rows).astype(dict.fromkeys(columns, float))
    first, second = cx.Events(frame, source="crm")
    assert first.conversation is not None
    assert first.conversation.key == "crm/conversation/1001"
    assert (first.rev, first.source.id) == ("1001", "1001")
    assert (second.conversation, second.rev) == (None, None)


def test_columns_of_any_type_that_a_text_tells_are_read() -> None:
    money = duckdb.sql(
        "select 'k' as key, 'note' as kind, timestamptz '2026-01-01 00:00:00+00' as occurred_at,"
        " 54.00 as total, 7::hugeint as seq, time '10:02:00' as at, [1, 2]::int[2] as pair"
    )
    assert money is not None
    [event] = cx.Events(money, source="till")
    assert event.seq == 7
    assert event.extra == {"total": "54.00", "at": "10:02:00", "pair": [1, 2]}
    [event] = of_table(row(price=Decimal("1.10"), day=dt.date(2026, 1, 2)))
    assert event.extra == {"price": "1.10", "day": "2026-01-02"}


def test_a_column_that_cannot_be_read_is_told_once() -> None:
    frame = pl.DataFrame([row(took=dt.timedelta(1)), row(key="b", took=None)])
    with cx.open() as store, pytest.raises(cx.InvalidEventError) as caught:
        store.ingest(frame, source="crm")
    assert (caught.value.row, caught.value.field) == (None, "took")


def test_a_large_frame_is_taken_in_by_batches() -> None:
    frame = pl.DataFrame([row(key=str(number)) for number in range(25_000)])
    told: list[int] = []
    with cx.open() as store:
        store.ingest(frame, source="crm", progress=lambda done, total: told.append(done))
        assert store.counts().events == 25_000
    assert told == [10_000, 20_000, 25_000]


def test_of_a_night_with_two_half_past_twos_fold_says_which() -> None:
    zone = "Europe/Amsterdam"
    for at in (dt.datetime(2026, 10, 25, 2, 30), dt.datetime(2026, 3, 29, 2, 30)):
        for fold in (0, 1):
            written = at.replace(fold=fold)
            event = cx.Event.from_dict(row(occurred_at=written), source="crm", tz=zone)
            assert event.occurred_at == written.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def test_a_date_that_is_none_is_none() -> None:
    event = cx.Event.from_dict(row(data={"due": pd.NaT, "gone": pd.NA}), source="crm")
    assert event.data == {}


def test_what_is_not_known_of_a_part_is_kept() -> None:
    parts = {"actor": {"type": "agent", "team": "B"}, "body": {"text": "x", "zz": 1}}
    event = cx.Event.from_dict(row(**parts), source="crm")
    assert event.extra == {"actor.team": "B", "body.zz": 1}


TABLE = """\
key,Kind,channel,Direction,occurred_at,email,phone,name,text,conversation,subject,loyalty,data.duration_s,status
k/1,message,Email,in,2026-03-02T09:00:00Z,jan@example.nl,,Jan,Where is it?,t/1,Parcel,007,,open
k/2,message,EMAIL,Outbound,2026-03-02T10:00:00Z,jan@example.nl,,Jan,On its way.,t/1,Parcel,,,open
k/3,Call,phone,,2026-03-03T10:00:00Z,,+31 6 1234 5678,Jan,,,,,184,
k/4,note,,,2026-03-03T11:00:00Z,jan@example.nl,,,He was angry.,,,,,
k/5,page.viewed,web,none,2026-03-04T11:00:00+01:00,jan@example.nl,,,,,,,,
"""


THEN = "2026-03-05T00:00:00Z"


def test_a_frame_says_what_the_same_table_in_a_file_says(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    as_text = pl.read_csv(io.StringIO(TABLE), infer_schema=False)
    frames = [as_text, as_text.with_columns(pl.col("data.duration_s").cast(pl.Float64))]
    with cx.open() as of_file:
        report = of_file.import_file(tmp_path / "t.csv", source="csv")
        assert (report.new, report.problems, report.unmapped) == (5, (), ("status",))
        said = {event.key: event.to_dict() for event in of_file.events()}
        waiting = [matter.waiting_on for matter in of_file.who_is_waiting(as_of=THEN)]
    assert waiting == ["customer"]
    for frame in frames:
        with cx.open() as store:
            report = store.ingest(frame, source="csv")
            assert (report.new, report.rejected, report.unmapped) == (5, 0, ("status",))
            assert {event.key: event.to_dict() for event in store.events()} == said
            assert [it.waiting_on for it in store.who_is_waiting(as_of=THEN)] == waiting
            assert store.find("loyalty:csv:007").confidence == "certain"


def test_the_words_of_our_own_tables_stay_as_they_are() -> None:
    events = [
        row(key="1", channel="Email", kind="Custom.Visit", direction="out"),
        row(key="2", conversation={"key": "c", "subject": "x"}, kind="message"),
        row(key="3", occurred_at="2026-01-01T00:00:00+00:00", kind="message", direction="out"),
        row(key="4", who=[{"ns": "shop", "value": "7"}], extra={"shop": "north"}),
    ]
    with cx.open() as store:
        store.ingest(events, source="crm")
        for frame in (store.events(), store.events().to_polars(), store.events().to_pandas()):
            report = store.ingest(frame)
            assert (report.duplicate, report.unmapped) == (4, ())


def test_what_a_table_cannot_mean_is_told_by_its_column() -> None:
    for cells, field, words in [
        ({"Direction": "sideways"}, "direction", "sideways"),
        ({"role": "boss"}, "role", "boss"),
        ({"ASSURANCE": "sure"}, "ASSURANCE", "sure"),
        ({"kind": "call", "data.duration_s": "long"}, "data/duration_s", ""),
        ({"KEY": "b"}, "KEY", "two columns"),
    ]:
        error = refused(pl.DataFrame([row(**cells)]), source="crm")
        assert error.field == field
        assert words in str(error)


def test_a_field_may_be_a_number_or_a_text() -> None:
    rows = [row(kind="order.placed", **{"data.order_id": 1001, "data.urgent": "true"})]
    [event] = of_table(*rows)
    assert (event.data["order_id"], event.data["urgent"]) == ("1001", True)


def test_numbers_that_were_read_as_numbers_are_numbers_still() -> None:
    text = "key,kind,occurred_at,phone\n1,call,2026-03-02T09:00:00Z,+31612345678\n"
    for more in ("", "2,call,2026-03-02T09:00:00Z,\n"):
        for region in (None, "US", "NL"):
            frame = pd.read_csv(io.StringIO(text + more))
            with cx.open() as store:
                report = store.ingest(frame, source="crm", region=region)
                assert (report.rejected, report.unlinked) == (0, {})
                assert store.find("+31612345678").confidence == "certain"
    # What lost its nought is a number of the region, and of nobody without one.
    frame = pd.DataFrame([row(kind="call", phone=612345678)])
    for region, unlinked in ((None, {"phone": 1}), ("NL", {})):
        with cx.open() as store:
            report = store.ingest(frame, source="crm", region=region)
            assert report.unlinked == unlinked
            assert ("unlinked=1" in repr(report)) == bool(unlinked)


def test_a_table_that_was_written_as_text_comes_back_as_it_was(tmp_path: Path) -> None:
    with cx.open() as store:
        who = [{"ns": "phone", "value": "+31612345678"}, {"ns": "email", "value": "a@example.nl"}]
        store.ingest([row(kind="call", who=who), row(key="b", kind="call")], source="crm")
        store.events().to_pandas().to_csv(tmp_path / "pandas.csv", index=False)
        store.events().to_polars().write_csv(tmp_path / "polars.csv")
        for frame in (pd.read_csv(tmp_path / "pandas.csv"), pl.read_csv(tmp_path / "polars.csv")):
            report = store.ingest(frame)
            assert (report.duplicate, report.problems) == (2, ())


def test_ids_that_lost_digits_as_floats_are_refused() -> None:
    for cells in ({"key": 12345678901234567.0}, {"key": 1.5}, {"loyalty": 1e17}, {"rev": 1e16}):
        error = refused(pd.DataFrame([row(**cells)]), source="crm")
        assert (error.row, error.field) == (0, next(iter(cells)))
        assert "as text" in str(error)
    [event] = of_table(row(key=12345678901234567, rev=1.5))
    assert (event.key, event.rev) == ("crm/row/12345678901234567", "1.5")


def test_utc_by_any_name_is_one_record() -> None:
    at = dt.datetime(2026, 3, 2, 9)
    with cx.open() as store:
        assert store.ingest([row(occurred_at=at.replace(tzinfo=UTC))], source="crm").new == 1
        zones: list[Any] = [
            "UTC",
            "utc",
            "Etc/UTC",
            "Zulu",
            UTC,
            ZoneInfo("UTC"),
            dt.timezone(dt.timedelta()),
        ]
        for tz in zones:
            assert store.ingest([row(occurred_at=at)], source="crm", tz=tz).duplicate == 1
        assert (
            store.ingest([row(occurred_at="2026-03-02 09:00")], source="crm", tz="UTC").total == 1
        )
        # Keys of tables stand within their source.
        first = row(occurred_at=f"{at}Z", visibility="public")
        assert store.ingest(pl.DataFrame([first]), source="crm").new == 1
        for name in ("UTC", "utc", "GMT", "Zulu", "+00:00", "Etc/GMT"):
            table = pa.table(
                {
                    "key": ["a"],
                    "kind": ["note"],
                    "visibility": ["public"],
                    "occurred_at": pa.array([at], pa.timestamp("us", name)),
                }
            )
            assert store.ingest(table, source="crm").duplicate == 1
        assert store.check().is_clean
        assert store.counts().events == 2


def test_an_instant_in_any_spelling_is_read_as_in_a_file() -> None:
    at = dt.datetime(2026, 3, 2, 8, tzinfo=UTC)
    spelled = ["2026-03-02T09:00+01:00", "2026-03-02 09:00:00+0100", "2026-03-02 09:00+01"]
    spelled += ["2026-03-02 08:00:00 UTC", "2026-03-02T09:00[Europe/Amsterdam]"]
    for text in spelled:
        assert cx.Event.from_dict(row(occurred_at=text), source="crm").occurred_at == at
        assert of_table(row(occurred_at=text))[0].occurred_at == at
    event = cx.Event.from_dict(row(occurred_at="2026-10-25 02:30"), source="crm", tz="+01:00")
    assert event.utc_offset == "+01:00"
    assert of_table(row(occurred_at=int(at.timestamp())))[0].occurred_at == at
    for text, words in (("2026-03-02 09:00", 'tz="Europe/Amsterdam"'), ("soon", "not a date")):
        assert words in str(refused([row(occurred_at=text)], source="crm"))


def test_what_is_no_number_is_missing_in_dicts_too() -> None:
    given = {"a": float("nan"), "b": np.float32("nan"), "c": Decimal("NaN"), "d": np.float32(0.5)}
    [event] = cx.Events([row(name=float("nan"), extra=given)], source="crm")
    assert event.name is None
    assert event.extra["d"] == 0.5
    assert [event.extra.get(name) for name in "abc"] == [None] * 3


@pytest.mark.parametrize("given", [list, pl.DataFrame])
def test_what_cannot_be_asked_for_is_refused(given: Any) -> None:
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"kind": ""}, "kind"),
        ({"kind": " "}, "kind"),
        ({"who": [{"ns": "my crm", "value": "x"}]}, "who/0/ns"),
        ({"who": [{"ns": "a:b", "value": "x"}]}, "who/0/ns"),
        ({"who": [{"ns": "", "value": "x"}]}, "who/0/ns"),
        ({"who": [{"ns": "Email", "value": "x@example.nl"}]}, "who/0/ns"),
    ]
    for cells, field in refusals:
        assert refused(given([row(**cells)]), source="crm").field == field
    for source in ("", " ", ":x"):
        with pytest.raises(cx.InvalidArgumentError, match="names no system"):
            cx.Events(given([row()]), source=source)


def test_fields_of_dicts_that_cx_does_not_know_are_told() -> None:
    event = row(kind="call", who=[{"ns": "crm", "value": "7"}], email="jan@example.nl", tier="gold")
    with cx.open() as store:
        report = store.ingest([event], source="crm")
        assert (report.new, report.unmapped) == (1, ("email", "tier"))
        assert "unmapped=2" in repr(report)
        assert store.event("a").key == "a", "the keys of events are what they are"


def test_dicts_that_are_rows_are_read_as_the_frame_is() -> None:
    cells: dict[str, Any] = {
        "key": [1, 2],
        "kind": ["message", "call"],
        "occurred_at": [dt.datetime(2026, 3, 2, 9, tzinfo=UTC)] * 2,
        "direction": ["in", None],
        "email": ["jan@example.nl", None],
        "phone": [None, "+31612345678"],
        "text": ["Where is it?", None],
        "visits": [3.0, None],
    }
    pandas = pd.DataFrame(cells)
    polars = pl.DataFrame(cells)
    for rows in (polars.to_dicts(), pandas.to_dict("records"), pandas):
        with cx.open() as store:
            assert store.ingest(polars, source="crm").new == 2
            report = store.ingest(rows, source="crm")
            assert (report.duplicate, report.unmapped) == (2, ("visits",)), report.problems
            assert store.find("jan@example.nl").confidence == "certain"
    with cx.open() as store:
        report = store.ingest([row(email="a@example.nl", Email="b@example.nl")], source="crm")
        assert "two columns" in report.problems[0]


def test_what_cx_wrote_as_dicts_comes_back_as_it_was() -> None:
    events = [
        row(key="1", kind="message", body={"text": " "}, actor={"type": "agent", "name": " Eva "}),
        row(key="2", kind="call", seq=9007199254740993, who=[{"ns": "loyalty", "value": "7"}]),
    ]
    with cx.open() as store:
        store.ingest(events, source="crm")
        table = store.events()
        frames: list[Any] = [table.to_pandas(), table.to_pandas().to_dict("records")]
        for written in (table.to_dicts(), table.to_polars().to_dicts(), *frames):
            report = store.ingest(written)
            assert (report.duplicate, report.unmapped) == (2, ()), report.problems


def test_a_scan_comes_back_as_it_was() -> None:
    events = [row(who=[{"ns": "email", "value": "a@example.nl"}]), row(key="b", extra={"json": 1})]
    with cx.open() as store:
        store.ingest(events, source="crm")
        some = store.scan(["key", "kind", "occurred_at", "json"])
        for scan in (store.scan(), some, store.scan().to_pandas()):
            report = store.ingest(scan, source="other")
            assert (report.duplicate, report.unmapped) == (2, ()), report.problems
    # A column of that name in another table is one that cx does not know.
    with cx.open() as store:
        report = store.ingest(pl.DataFrame([row(json="{}")]), source="crm")
        assert (report.new, report.unmapped) == (1, ("json",))


def test_the_same_numbers_of_two_sources_are_two_records(tmp_path: Path) -> None:
    def table(email: str, text: str, day: int) -> pl.DataFrame:
        cells = {"email": email, "text": text, "conversation": 42, "key": 1, "direction": "in"}
        at = f"2026-03-{day:02}T09:00:00Z"
        return pl.DataFrame([row(kind="message", **cells) | {"occurred_at": at}])

    chat = table("jan@example.nl", "my IBAN is NL12", 2)
    desk = table("eva@example.com", "my parcel", 1)
    with cx.open() as of_frames, cx.open() as of_files:
        for name, frame in (("chat", chat), ("desk", desk)):
            assert of_frames.ingest(frame, source=f"csv:{name}").new == 1
            frame.write_csv(tmp_path / "t.csv")
            assert of_files.import_file(tmp_path / "t.csv", source="csv", instance=name).new == 1
            again = of_files.ingest(frame, source=f"csv:{name}")
            assert again.duplicate == 1, "by either door it is one record"
        for store in (of_frames, of_files):
            keys = sorted(event.key for event in store.events())
            assert keys == ["csv:chat/row/1", "csv:desk/row/1"]
            assert store.find("jan@example.nl").confidence == "certain"
            assert "IBAN" not in str(store.export("eva@example.com").to_dict())
            assert len(store.who_is_waiting()) == 2
    whole = pl.DataFrame([row(key="crm:acme/case/1", conversation="crm:acme/case/1")])
    [event] = cx.Events(whole, source="x")
    assert event.conversation is not None
    assert (event.key, event.conversation.key) == ("crm:acme/case/1", "crm:acme/case/1")


def test_the_order_of_columns_says_nothing(tmp_path: Path) -> None:
    cells = {
        "direction": "in",
        "cookie": "c1",
        "phone": "+31612345678",
        "loyalty": "7",
        "order": "1001",
        "email": "jan@example.nl",
        "national_id": "123456782",
        "text": "hi",
    }
    frame = pl.DataFrame([row(kind="message", **cells)])
    frame.write_csv(tmp_path / "t.csv")
    with cx.open() as store:
        assert store.import_file(tmp_path / "t.csv", source="csv", instance="a").new == 1
        for columns in (frame.columns, sorted(frame.columns), frame.columns[::-1]):
            assert store.ingest(frame.select(columns), source="csv:a").duplicate == 1


def test_an_empty_text_says_nothing(tmp_path: Path) -> None:
    names = ["rev", "name", "text", "lang", "reply_to", "actor_id", "actor_name", "status", "email"]
    empty: dict[str, Any] = dict.fromkeys(names)
    full = dict.fromkeys(names, " a@example.nl ")
    frame = pd.DataFrame([row(kind="message", **full), row(key="b", kind="message", **empty)])
    blank = frame.fillna("")
    blank.to_csv(tmp_path / "t.csv", index=False)
    with cx.open() as store:
        assert store.ingest(frame, source="csv:a").new == 2
        assert store.ingest(blank, source="csv:a").duplicate == 2
        assert store.ingest(frame.fillna(" "), source="csv:a").duplicate == 2
        assert store.import_file(tmp_path / "t.csv", source="csv", instance="a").duplicate == 2
        said = store.event("csv:a/row/a")
        assert (said.text, said.name, said.extra["status"]) == (
            "a@example.nl",
            "a@example.nl",
            " a@example.nl ",
        )


def test_a_decimal_without_a_fraction_is_a_number() -> None:
    cells = "31612345678::HUGEINT as phone, 7::DECIMAL(38, 2) as loyalty, 12::HUGEINT as key"
    at = "'2026-01-01T00:00:00Z' as occurred_at"
    calls = duckdb.sql(f"select 'call' as kind, {at}, {cells}")
    assert calls is not None
    [event] = cx.Events(calls, source="crm")
    assert [(claim.ns, claim.value) for claim in event.who] == [
        ("phone", "+31612345678"),
        ("loyalty", "7"),
    ]
    assert event.key == "crm/row/12"


def test_a_float_that_lost_digits_is_no_order() -> None:
    error = refused(pd.DataFrame([row(seq=9007199254740993.0)]), source="crm")
    assert (error.field, "as text" in str(error)) == ("seq", True)


def test_an_integer_that_python_does_not_read_is_a_text() -> None:
    digits = "9" * 5_000
    text = json.dumps(row(key="x", source={"system": "crm"}, extra={"n": 0}))
    event = cx.Event.from_json(text.replace('"n": 0', f'"n": {digits}'))
    assert event.to_dict()["extra"] == {"n": digits}
    with cx.open() as store:
        store.ingest([event])
        assert store.ingest(store.events()).duplicate == 1


def test_how_many_rows_a_frame_has_is_told() -> None:
    for frame in (pl.DataFrame([row()]), pd.DataFrame([row()]), pa.Table.from_pylist([row()])):
        told: list[tuple[int, int | None]] = []
        with cx.open() as store:
            store.ingest(frame, source="crm", progress=lambda *so_far, to=told: to.append(so_far))
        assert told == [(1, 1)]


def test_a_file_may_have_to_be_right_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("key,kind,occurred_at\n1,call,2026-01-01Z\n2,call,soon\n")
    (tmp_path / "u.csv").write_bytes("key,kind\n".encode("utf-16"))
    with cx.open() as store:
        for name, told in (("t.csv", "t.csv:"), ("u.csv", "u.csv")):
            with pytest.raises(cx.InvalidEventError, match=told):
                store.import_file(tmp_path / name, source="csv", errors="raise")
        with pytest.raises(cx.InvalidEventError) as caught:
            store.import_file(tmp_path / "t.csv", source="csv", errors="raise")
        assert caught.value.field == "occurred_at"
        report = store.import_file(tmp_path / "t.csv", source="csv")
        assert report.rejected > 0
