"""Python values become events and come back."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import pickle
import types
import uuid
import zoneinfo
from typing import Any

import pytest

import cxcontext as cx

AMSTERDAM = zoneinfo.ZoneInfo("Europe/Amsterdam")


def record(**fields: Any) -> dict[str, Any]:
    return {
        "key": "crm:acme/call/1",
        "source": {"system": "crm", "instance": "acme"},
        "kind": "call",
        "channel": "phone",
        "direction": "in",
        "occurred_at": "2026-03-04T10:02:00+01:00",
        "who": [{"ns": "phone", "value": "+31612345678", "role": "from"}],
        **fields,
    }


def refused(record: Any, **options: Any) -> cx.InvalidEventError:
    with pytest.raises(cx.InvalidEventError) as caught:
        cx.Event.from_dict(record, **options)
    return caught.value


def test_an_event_has_the_names_of_the_json() -> None:
    event = cx.Event.from_dict(
        record(
            actor={"type": "customer", "name": "Jan"},
            conversation={"key": "crm:acme/case/7", "subject": "Parcel"},
            body={"text": "Where is it?", "lang": "en"},
            data={"duration_s": 61, "outcome": "answered"},
            extra={"queue": "north"},
        )
    )
    assert (event.key, event.kind, event.channel, event.direction) == (
        "crm:acme/call/1",
        "call",
        "phone",
        "in",
    )
    assert event.visibility == "public"
    assert event.text == "Where is it?"
    assert event.actor.type == "customer"
    assert event.actor.id is None
    assert event.source.instance == "acme"
    assert event.conversation is not None
    assert event.conversation.subject == "Parcel"
    assert event.conversation.aliases == ()
    assert [(claim.ns, claim.value, claim.shared) for claim in event.who] == [
        ("phone", "+31612345678", False)
    ]
    assert event.data == {"duration_s": 61, "outcome": "answered"}
    assert event.extra == {"queue": "north"}
    assert repr(event) == "Event('crm:acme/call/1', call phone in, 2026-03-04T09:02:00Z)"


def test_instants_come_out_aware_and_in_utc() -> None:
    event = cx.Event.from_dict(record())
    assert event.occurred_at == dt.datetime(2026, 3, 4, 9, 2, tzinfo=dt.timezone.utc)
    assert event.occurred_at.tzinfo == dt.timezone.utc
    assert event.utc_offset == "+01:00"


@pytest.mark.parametrize(
    ("given", "offset"),
    [
        (dt.datetime(2026, 3, 4, 9, 2, tzinfo=dt.timezone.utc), None),
        (dt.datetime(2026, 3, 4, 10, 2, tzinfo=AMSTERDAM), "+01:00"),
        (dt.datetime(2026, 3, 4, 9, 2, tzinfo=zoneinfo.ZoneInfo("UTC")), None),
        (dt.datetime(2026, 3, 4, 9, 2, tzinfo=zoneinfo.ZoneInfo("Europe/London")), "+00:00"),
        (
            dt.datetime(
                2026, 3, 4, 9, 21, 32, tzinfo=dt.timezone(dt.timedelta(minutes=19, seconds=32))
            ),
            None,
        ),
    ],
)
def test_aware_datetimes_keep_their_offset(given: dt.datetime, offset: str | None) -> None:
    event = cx.Event.from_dict(record(occurred_at=given))
    assert event.occurred_at == dt.datetime(2026, 3, 4, 9, 2, tzinfo=dt.timezone.utc)
    assert event.utc_offset == offset


@pytest.mark.parametrize("given", [dt.datetime(2026, 3, 4, 10, 2), "2026-03-04T10:02:00"])
def test_a_time_without_a_zone_is_refused_with_the_way_out(given: object) -> None:
    error = refused(record(occurred_at=given))
    assert error.field == "occurred_at"
    assert error.value is not None
    assert "2026-03-04T10:02" in error.value
    assert 'tz="Europe/Amsterdam"' in str(error)


@pytest.mark.parametrize("tz", ["Europe/Amsterdam", AMSTERDAM])
@pytest.mark.parametrize("given", [dt.datetime(2026, 7, 4, 10, 2), "2026-07-04T10:02:00"])
def test_a_zone_makes_an_instant_of_it(given: object, tz: Any) -> None:
    event = cx.Event.from_dict(record(occurred_at=given), tz=tz)
    assert event.occurred_at == dt.datetime(2026, 7, 4, 8, 2, tzinfo=dt.timezone.utc)
    assert event.utc_offset == "+02:00"


def test_where_clocks_go_back_the_first_of_two_instants_is_meant() -> None:
    event = cx.Event.from_dict(
        record(occurred_at=dt.datetime(2026, 10, 25, 2, 30)), tz="Europe/Amsterdam"
    )
    assert event.occurred_at == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.timezone.utc)


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(cx.InvalidArgumentError, match="Europe/Amsterdm") as caught:
        cx.Event.from_dict(record(), tz="Europe/Amsterdm")
    assert caught.value.argument == "tz"


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"key": None}, "key", "missing"),
        ({"occurred_at": "soon"}, "occurred_at", "not a date and time"),
        ({"data": {"duration_s": "long"}}, "data/duration_s", ""),
        ({"who": [{"ns": "email", "value": "null"}]}, "who/0", "placeholder"),
        ({"data": {"x": [1, float("inf")]}}, "data/x/1", "infinite"),
        ({"extra": {"x": {1, 2}}}, "extra/x", "a set"),
        ({"extra": {"x": object()}}, "extra/x", "a object"),
        ({"extra": {1: 2}}, "extra", "a field's name is text, not int"),
        ({"extra": {"x": "\ud800"}}, "extra/x", "half a character"),
        ({"extra": {"at": dt.datetime(2026, 1, 1)}}, "extra/at", "without a zone"),
    ],
)
def test_an_error_names_the_field(change: dict[str, Any], field: str, words: str) -> None:
    error = refused(record(**change))
    assert error.field == field
    assert words in str(error)
    assert str(error).startswith(field)
    assert error.row is None


@pytest.mark.parametrize("given", [None, 1, "text", [1], dt.datetime(2026, 1, 1)])
def test_what_is_no_dict_is_no_event(given: object) -> None:
    assert refused(given) is not None


def test_a_list_that_holds_itself_has_no_end() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert "deeper than" in str(refused(record(extra={"x": endless})))


def test_values_of_other_libraries_are_kept() -> None:
    numpy = pytest.importorskip("numpy")
    extra = {
        "decimal": decimal.Decimal("12.50"),
        "uuid": uuid.UUID(int=1),
        "date": dt.date(2026, 3, 4),
        "tuple": (1, None),
        "mapping": types.MappingProxyType({"a": True}),
        "int64": numpy.int64(7),
        "bool": numpy.bool_(True),
        "str": numpy.str_("x"),
        "huge": 10**40,
        "float": 1.5,
    }
    assert cx.Event.from_dict(record(extra=extra)).extra == {
        "decimal": "12.50",
        "uuid": "00000000-0000-0000-0000-000000000001",
        "date": "2026-03-04",
        "tuple": [1, None],
        "mapping": {"a": True},
        "int64": 7,
        "bool": True,
        "str": "x",
        "huge": 10**40,
        "float": 1.5,
    }


def test_an_event_comes_back_from_all_that_it_becomes() -> None:
    event = cx.Event.from_dict(record(loyalty={"tier": "gold"}, seq=3, rev="2"))
    assert cx.Event.from_dict(event.to_dict()) == event
    assert cx.Event.from_json(event.to_json()) == event
    assert cx.Event.from_dict(event) == event
    assert pickle.loads(pickle.dumps(event)) == event
    assert {event, cx.Event.from_json(event.to_json())} == {event}
    assert json.loads(event.to_json()) == event.to_dict()
    assert event.to_dict()["loyalty"] == {"tier": "gold"}


def test_what_is_not_json_is_said_to_be_so() -> None:
    with pytest.raises(cx.InvalidEventError, match="not a JSON object"):
        cx.Event.from_json("[1]")


def test_fields_read_by_name_and_by_item() -> None:
    source = cx.Event.from_dict(record()).source
    assert source["system"] == source.system == source.get("system") == "crm"
    assert list(source) == ["id", "instance", "object", "system"]
    assert dict(source.items()) == source.to_dict()
    assert len(source) == 4
    assert "system" in source
    assert "sistem" not in source
    assert source.get("sistem", 1) == 1
    with pytest.raises(AttributeError, match="there are: id, instance, object, system"):
        getattr(source, "sistem")  # noqa: B009
    with pytest.raises(KeyError):
        source["sistem"]
    with pytest.raises(AttributeError):
        source.system = "x"  # type: ignore[misc]
    assert repr(source) == "Fields(id='', instance='acme', object='', system='crm')"


def test_events_cannot_be_changed() -> None:
    event = cx.Event.from_dict(record())
    with pytest.raises(AttributeError):
        event.key = "x"  # type: ignore[misc]
    event.data["duration_s"] = 1
    assert event.data == {}
