"""Tables of other people, with all that stands in them, become events."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import polars as pl
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
        assert store.event("b").extra == {}


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
        frame = pd.DataFrame([row()]).assign(occurred_at=at)
        [event] = cx.Events(frame, source="crm")
        assert event.utc_offset == offset
        assert [event] == list(cx.Events(frame.to_dict("records"), source="crm"))


def test_ids_that_became_floats_are_ids() -> None:
    columns = ["conversation", "source_id", "rev", "actor_id"]
    rows = [row(**dict.fromkeys(columns, 1001)), row(key="b", **dict.fromkeys(columns))]
    frame = pd.DataFrame(rows).astype(dict.fromkeys(columns, float))
    first, second = cx.Events(frame, source="crm")
    assert first.conversation is not None
    assert (first.conversation.key, first.rev, first.source.id) == ("1001", "1001", "1001")
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
