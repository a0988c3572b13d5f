"""Answers in the hands of other libraries: frames, processes, JSON."""

from __future__ import annotations

import collections.abc
import copy
import datetime as dt
import errno
import pickle
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import cxcontext as cx
from records import STORY

JAN = "jan@example.nl"
AT = "2026-03-09T09:00:00Z"


def store(path: Path | None = None) -> cx.Store:
    store = cx.open(path)
    store.ingest(STORY)
    return store


def waiting(store: cx.Store) -> list[Any]:
    return list(store.who_is_waiting(as_of=AT))


def test_lists_of_fields_are_rows_of_frames() -> None:
    found = waiting(store())
    assert found
    frame = pd.DataFrame(found)
    assert list(frame.columns) == found[0].keys()
    assert frame["conversation"].to_list() == [matter.conversation for matter in found]
    frame = pl.DataFrame([dict(matter) for matter in found])
    assert frame["state"].to_list() == [matter.state for matter in found]
    assert issubclass(cx.Fields, collections.abc.Mapping)
    assert found[0] == found[0].to_dict()
    assert found[0] != {}


def answers() -> list[Any]:
    made = store()
    context = made.context(JAN, as_of=AT)
    people = [{"name": "Jan Smit", "email": JAN}, {"name": "J. Smit", "email": JAN}]
    linkage = cx.link(people)
    export = made.export(JAN)
    return [
        context,
        context.match,
        export,
        export.events[0].event,
        *waiting(made),
        *made.how(JAN),
        linkage.model,
        linkage.explain(0, 1),
        made.ingest(STORY),
    ]


def test_answers_are_copied_and_pickled() -> None:
    for answer in answers():
        again = pickle.loads(pickle.dumps(answer))
        assert again == answer
        assert repr(again) == repr(answer)
        assert copy.copy(answer) is answer
        assert copy.deepcopy([answer]) == [answer]
    made = store()
    context = made.context(JAN, as_of=AT)
    again = pickle.loads(pickle.dumps(context))
    assert (again.to_json(), again.to_markdown(), str(again)) == (
        context.to_json(),
        context.to_markdown(),
        str(context),
    )
    people = [{"name": "Jan Smit", "email": JAN}, {"name": "J. Smit", "email": JAN}]
    linkage = cx.link(people)
    for frame in (linkage.persons, linkage.pairs):
        again = pickle.loads(pickle.dumps(frame))
        assert (repr(again), again.to_dicts()) == (repr(frame), frame.to_dicts())
        assert again.to_polars().equals(frame.to_polars())
    hit = made.search("parcel")[0] if made.search("parcel") else made.search("order")[0]
    again = pickle.loads(pickle.dumps(hit))
    assert (again.event, again.customer, again.snippet) == (hit.event, hit.customer, hit.snippet)


def ask(given: tuple[cx.Store, str]) -> cx.Context:
    return given[0].context(given[1], as_of=AT)


def test_another_process_can_answer(tmp_path: Path) -> None:
    made = store(tmp_path / "a.cx")
    with get_context("spawn").Pool(1) as pool:
        # A process that cannot begin is begun anew without end.
        answers = pool.map_async(ask, [(made, JAN)]).get(timeout=120)
    assert answers == [made.context(JAN, as_of=AT)]


def test_what_a_source_named_is_no_instant() -> None:
    told = "2026-03-02T09:00:00+05:00"
    record = {
        "key": "k",
        "kind": "custom.x",
        "occurred_at": "2026-03-02T09:00:00Z",
        "who": [{"ns": "email", "value": JAN}],
        "data": {"last": told, "due": [told], "in": {"at": told}},
        "extra": {"now": told},
        "until": told,
    }
    made = cx.open()
    made.ingest([record], source="crm")
    found = made.export(JAN).events[0]
    assert isinstance(found.recorded_at, dt.datetime)
    event = found.event
    assert event.occurred_at == dt.datetime(2026, 3, 2, 9, tzinfo=dt.timezone.utc)
    assert (event.data.last, event.data.due, event.data["in"].at) == (told, (told,), told)
    assert (event.extra.now, event.until) == (told, told)
    assert pickle.loads(pickle.dumps(event.data)).last == told


def test_a_field_that_is_called_like_a_method_has_an_underscore_behind_it() -> None:
    made = store()
    who = [{"ns": "phone", "value": "+31612340000", "role": "from"}]
    made.ingest([{**STORY[0], "key": "call/9", "kind": "call", "who": who}])
    made.same(JAN, "+31612340000", by="agent:7")
    values = [change.cause.values_ for change in made.changes() if change.cause]
    assert values
    assert all(isinstance(value, tuple) for value in values)


def test_what_was_left_out_is_told(tmp_path: Path) -> None:
    made = store()
    made.erase(JAN, mode="delete", compact=False)
    assert [erasure.compacted_at for erasure in made.erasures()] == [None]
    report = made.ingest(STORY)
    assert report.suppressed > 0
    assert f"suppressed={report.suppressed}" in repr(report)
    assert "suppressed" in report._repr_html_()
    counted = report.new + report.duplicate + report.revised + report.conflict + report.rejected
    assert report.total == counted + report.suppressed + report.expired
    done = made.compact()
    assert [erasure.compacted_at for erasure in made.erasures()] == [done.compacted_at]
    with pytest.raises(cx.NotFoundError, match=r"zz@example\.nl: nobody is known"):
        made.erase("zz@example.nl", mode="delete")


def test_no_file_is_written_over(tmp_path: Path) -> None:
    made = store(tmp_path / "a.cx")
    model = cx.LinkModel.shipped()
    with pytest.raises(cx.ExistingFileError) as caught:
        model.save(tmp_path / "a.cx")
    error = caught.value
    assert (error.errno, error.filename) == (errno.EEXIST, str(tmp_path / "a.cx"))
    assert str(error) == f"{tmp_path / 'a.cx'}: exists already"
    assert made.check().is_clean
    model.save(tmp_path / "m.json")
    assert cx.LinkModel.load(tmp_path / "m.json") == model
    with pytest.raises(FileNotFoundError) as missing:
        cx.open(tmp_path / "b.cx", read_only=True)
    assert missing.value.errno == errno.ENOENT


def test_a_closed_scan_is_shown_as_closed() -> None:
    made = store()
    scan = made.scan()
    made.close()
    assert "closed" in scan._repr_html_()


def test_who_is_meant_by_none_is_told_why() -> None:
    made = cx.open()
    for name, address in (("Jan", JAN), ("Eva", "eva@example.nl")):
        who = [{"ns": "email", "value": address}, {"ns": "phone", "value": "+31201234567"}]
        record = {"key": name, "kind": "call", "name": name, "occurred_at": AT, "who": who}
        made.ingest([record], source="crm")
    gone = made.find(JAN).customers[0].id
    if len(made.find("+31201234567").customers) > 1:
        with pytest.raises(cx.NotFoundError, match="several share it: cus_"):
            made.export("+31201234567")
    made.erase(JAN, mode="delete", compact=False)
    with pytest.raises(cx.NotFoundError, match="erased"):
        made.export(gone)


def test_a_learning_that_has_too_little_says_what_helps() -> None:
    with pytest.raises(cx.InvalidArgumentError, match=r"0 rows.*LinkModel.shipped"):
        cx.link([])
