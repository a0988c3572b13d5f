"""Linking tables of persons, and the customers of a store, from Python."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import cxcontext as cx

PEOPLE: list[dict[str, object]] = [
    {"nr": 1, "name": "Jan de Vries", "dob": "1980-04-27", "email": "jan80@example.nl", "who": "a"},
    {"nr": 2, "name": "J. de Vries", "dob": "27-04-1980", "email": "JAN80@example.nl", "who": "a"},
    {"nr": 3, "name": "Eva Bakker", "dob": "1991-12-24", "email": "eva@example.org", "who": "b"},
    {"nr": 4, "name": "Piet Smit", "dob": None, "email": "piet@example.org", "who": "c"},
]


def persons(linkage: cx.Linkage) -> list[int]:
    return [row["person"] for row in linkage.persons.to_dicts()]


def test_rows_of_one_person_are_found_whatever_the_table_is_made_of() -> None:
    frames = [
        PEOPLE,
        pl.DataFrame(PEOPLE),
        pd.DataFrame(PEOPLE),
        pa.Table.from_pylist(PEOPLE),
        pl.DataFrame(PEOPLE).with_columns(pl.col("name").cast(pl.Categorical)),
        pl.DataFrame(PEOPLE).with_columns(pl.col("nr").cast(pl.Float64)),
    ]
    for frame in frames:
        linkage = cx.link(frame, columns={"who": None})
        assert persons(linkage) == [0, 0, 2, 3], frame
    assert linkage.columns == [
        {"nr": None, "name": "full_name", "dob": "birth_date", "email": "email", "who": None}
    ]


def test_dates_of_arrow_are_dates() -> None:
    born = [dt.date(1980, 4, 27), dt.date(1980, 4, 27), dt.date(1991, 12, 24)]
    frame = pl.DataFrame({"name": ["Jan Smit", "J. Smit", "Eva Bos"], "dob": born})
    told = cx.link(frame).explain(0, 1)
    assert [bar.level for bar in told.bars if bar.comparison == "birth date"] == ["exact"]


def test_a_truth_gives_metrics() -> None:
    linkage = cx.link(PEOPLE, truth="who")
    metrics = linkage.metrics
    assert metrics is not None
    assert (metrics["links"]["precision"], metrics["links"]["recall"]) == (1.0, 1.0)
    assert metrics["with_possible"]["true_pairs"] == 1
    assert cx.link(PEOPLE).metrics is None
    with pytest.raises(cx.InvalidArgumentError, match="there are: nr, name"):
        cx.link(PEOPLE, truth="nobody")


def test_two_tables_are_linked_across() -> None:
    shop = [{"name": "Jan de Vries", "mail": "jan80@example.nl"}, {"name": "Eva Bos"}]
    club = [{"naam": "Eva Bos"}, {"naam": "J. de Vries", "email": "JAN80@example.nl"}]
    linkage = cx.link(shop, club)
    rows = [row for row in linkage.pairs.to_dicts() if row["verdict"] == "linked"]
    assert [(row["row_a"], row["row_b"]) for row in rows] == [(0, 1)]
    assert linkage.persons.to_dicts()[3] == {"table": 1, "row": 1, "person": 0}
    assert "jan80" in str(linkage.explain(0, 1))


def test_a_pair_explains_itself() -> None:
    linkage = cx.link(PEOPLE)
    told = linkage.explain(0, 1)
    assert told.kind == "waterfall"
    total = told.prior + sum(bar.weight + bar.term_frequency for bar in told.bars)
    assert total == pytest.approx(told.weight, abs=0.01)
    pair = linkage.pairs.to_dicts()[0]
    assert pair["weight"] == pytest.approx(told.weight)
    assert pair["probability"] == pytest.approx(told.probability)
    assert "<li>" in told._repr_html_()
    with pytest.raises(cx.NotFoundError, match="not in the table"):
        linkage.explain(0, 17)


def test_tables_of_the_answer_go_into_every_library() -> None:
    linkage = cx.link(PEOPLE)
    assert linkage.persons.to_polars().shape == (4, 3)
    assert list(linkage.pairs.to_pandas().columns) == linkage.pairs.columns
    assert linkage.pairs.to_arrow().schema.field("weight").type == pa.float64()
    assert "<table>" in linkage.pairs._repr_html_()
    assert repr(linkage).startswith("Linkage(records=4, persons=3, linked=1")


def test_threads_and_order_change_nothing() -> None:
    one = cx.link(PEOPLE, threads=1)
    four = cx.link(PEOPLE, threads=4)
    assert one.pairs.to_dicts() == four.pairs.to_dicts()
    assert one.model == four.model
    assert persons(cx.link(PEOPLE[::-1])) == [0, 1, 2, 2]


def test_models_are_kept_converted_and_read_again(tmp_path: Path) -> None:
    model = cx.LinkModel.train(PEOPLE, columns={"who": None})
    path = tmp_path / "model.json"
    model.save(path)
    assert cx.LinkModel.load(path) == model
    assert cx.LinkModel.loads(model.to_json()).hash == model.hash
    splink = json.loads(model.to_splink(records=4))
    assert splink["comparisons"]
    again = cx.LinkModel.loads(json.dumps(splink))
    assert persons(cx.link(PEOPLE, model=again, columns={"who": None})) == [0, 0, 2, 3]
    assert cx.LinkModel.shipped() != model
    with pytest.raises(cx.InvalidArgumentError, match="model"):
        cx.LinkModel.loads("{}")
    with pytest.raises(cx.MissingFileError):
        cx.LinkModel.load(tmp_path / "none.json")


def test_what_cannot_be_meant_is_told() -> None:
    with pytest.raises(cx.InvalidArgumentError, match="no such column"):
        cx.link(PEOPLE, columns={"nobody": "email"})
    with pytest.raises(cx.InvalidArgumentError, match="between 0 and 1"):
        cx.link(PEOPLE, link_at=1.5)
    with pytest.raises(cx.InvalidArgumentError, match="too few"):
        cx.link([])
    with pytest.raises(cx.InvalidArgumentError, match="could be compared"):
        cx.link([{"x": 1}, {"x": 2}])
    with pytest.raises(cx.InvalidArgumentError, match="list of dicts"):
        cx.link({"name": "Jan"})  # type: ignore[dict-item]
    with pytest.raises(cx.InvalidArgumentError, match="collect"):
        cx.link(pl.DataFrame(PEOPLE).lazy())  # type: ignore[arg-type]
    with pytest.raises(cx.InvalidEventError, match="two columns"):
        cx.link(pa.table([pa.array(["a", "b"])] * 2, names=["name", "name"]))
    with pytest.raises(cx.InvalidEventError, match="row 1"):
        cx.link([{"name": "Jan"}, 7])  # type: ignore[list-item]


NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.timezone.utc)


def on_record(key: str, name: str, born: str, address: str) -> dict[str, object]:
    claim = {"ns": "email", "value": address, "role": "subject", "assurance": "channel_proved"}
    return {
        "key": key,
        "kind": "profile.updated",
        "occurred_at": NOON.isoformat(),
        "name": name,
        "data": {"name": name, "birth_date": born, "address": {"street": "Kerkstraat 1"}},
        "who": [claim],
    }


@pytest.fixture
def store() -> cx.Store:
    store = cx.open()
    people = [
        on_record("a", "Jan de Vries", "1980-04-27", "jan@example.nl"),
        on_record("b", "Jan de Vreis", "1980-04-27", "jdv@example.org"),
    ]
    for n in range(12):
        born = f"19{50 + n}-01-02"
        people.append(on_record(f"p{n}", f"Piet Smit{n}", born, f"p{n}@example.com"))
    store.ingest(people, source="shop")
    return store


def test_rows_may_be_mappings_of_any_kind() -> None:
    rows = [{"name": "Jan Smit", "email": "jan@example.nl"}] * 2
    of_dicts = cx.link(rows).persons.to_dicts()
    assert cx.link([MappingProxyType(row) for row in rows]).persons.to_dicts() == of_dicts


def test_a_store_proposes_and_links_only_when_told(store: cx.Store) -> None:
    done = store.propose()
    assert (done.possible > 0, done.linked) == (True, 0)
    first = store.proposals()[0]
    assert first.relation == "possible"
    assert any("birth date" in line for line in store.candidates("jan@example.nl")[0].sentences)
    done = store.propose(link_at=0.99)
    assert done.linked == 1
    why = store.why("jan@example.nl", "jdv@example.org")
    assert why is not None
    assert "probably one person" in str(why)
    assert store.propose().taken_back == 1
    assert store.why("jan@example.nl", "jdv@example.org") is None


def test_every_kind_of_assertion_can_be_tried(store: cx.Store) -> None:
    assert store.preview("same", "jan@example.nl", "jdv@example.org").changes
    said = store.same("jan@example.nl", "jdv@example.org", by="agent")
    for verdict, a, b in [
        ("different", "jan@example.nl", "jdv@example.org"),
        ("detach", "a", "jan@example.nl"),
        ("block", "jan@example.nl", None),
        ("trust", "jan@example.nl", None),
        ("rekey", "jan@example.nl", "p1@example.com"),
        ("revoke", said, None),
    ]:
        preview = store.preview(verdict, a, b)  # type: ignore[arg-type]
        assert isinstance(preview, cx.Fields), verdict
    assert store.preview("revoke", said).changes
    with pytest.raises(cx.InvalidArgumentError, match="takes one"):
        store.preview("block", "jan@example.nl", "jdv@example.org")
    with pytest.raises(cx.InvalidArgumentError, match="takes two"):
        store.preview("same", "jan@example.nl")


TOWNS: list[dict[str, object]] = [
    {"name": "Jan Smit", "dob": "1980-03-04", "city": "Utrecht"},
    {"name": "Eva Bos", "dob": "1991-12-24", "city": "Delft"},
    {"name": "Piet Jansen", "dob": "1975-07-07", "city": "Gouda"},
    {"name": "Anna Mulder", "dob": "1966-01-30", "city": "Breda"},
]


def test_a_birth_date_is_the_same_in_whatever_column_it_stands() -> None:
    model = cx.LinkModel.shipped()
    plain = pd.DataFrame(TOWNS)
    of_pandas = plain.assign(dob=pd.to_datetime(plain.dob))
    tables: list[object] = [
        of_pandas,
        of_pandas.assign(dob=of_pandas.dob.dt.tz_localize("Europe/Amsterdam")),
        of_pandas.assign(dob=of_pandas.dob.dt.tz_localize("+02:00")),
        pl.DataFrame(TOWNS).with_columns(pl.col("dob").str.to_datetime("%Y-%m-%d")),
        of_pandas.to_dict("records"),
        plain.assign(dob=plain.dob + "T00:00:00").to_dict("records"),
    ]
    for table in tables:
        linkage = cx.link(plain, table, model=model)  # type: ignore[arg-type]
        assert persons(linkage) == [0, 1, 2, 3] * 2, table


def test_what_is_missing_in_dicts_is_nobodys_value() -> None:
    model = cx.LinkModel.shipped()
    gaps = [None, pd.NaT, pd.NA, float("nan"), Decimal("NaN"), np.datetime64("NaT")]
    for gap in gaps:
        twice: list[dict[str, object]] = [{"name": "Eva Bos", "dob": gap}] * 2
        assert persons(cx.link(twice, model=model)) == [0, 1], gap


def test_numbers_of_dicts_are_those_of_frames() -> None:
    model = cx.LinkModel.shipped()
    one = pd.DataFrame({"name": ["Jan Smit", "X Y"], "phone": [31612345678, None]})
    other = pd.DataFrame({"name": ["J. Smit"], "phone": ["+31612345678"]})
    assert persons(cx.link(one, other, model=model)) == [0, 1, 0]
    dicts = one.to_dict("records"), other.to_dict("records")
    assert persons(cx.link(*dicts, model=model)) == [0, 1, 0]


def test_rows_without_a_truth_are_nobody_elses() -> None:
    rows: list[dict[str, object]] = [
        {"name": "Jan Smit", "email": "a@example.nl", "t": None},
        {"name": "Eva Bos", "email": "b@example.nl", "t": " "},
        {"name": "Piet Po", "email": "c@example.nl", "t": "1"},
        {"name": "P. Po", "email": "c@example.nl", "t": "1"},
    ]
    metrics = cx.link(rows, truth="t", model=cx.LinkModel.shipped()).metrics
    assert metrics is not None
    assert (metrics["links"]["true_pairs"], metrics["links"]["recall"]) == (1, 1.0)


def test_columns_that_are_left_out_are_not_read() -> None:
    rows = {"name": ["a b", "c d"], "x": [dt.timedelta(1)] * 2, "who": ["1", "1"]}
    frame = pl.DataFrame(rows)
    for nothing in (None, "ignore"):
        linkage = cx.link(frame, columns={"x": nothing, "who": nothing})
        assert linkage.columns == [{"name": "full_name", "x": None, "who": None}]
    with pytest.raises(cx.InvalidEventError, match=r"^x: a column of type Duration"):
        cx.link(frame, columns={"x": "length"})
    money = pl.DataFrame({"name": ["a b", "c d"], "x": [Decimal("1.50")] * 2})
    assert cx.link(money, columns={"x": "price"}).columns[0]["x"] == "price"


def test_pairs_are_told_heaviest_first_whatever_their_verdict() -> None:
    home = {
        "street": "Kerkstraat 1",
        "postcode": "3511AB",
        "city": "Utrecht",
        "phone": "0301234567",
    }
    people: list[dict[str, object]] = [
        {"name": "Jan de Vries", "dob": "1980-04-27", **home},
        {"name": "Eva de Vries", "dob": "1982-12-24", **home},
        *TOWNS,
        {"name": "Jan Smit", "dob": "1980-03-05", "city": "Utrecht"},
    ]
    linkage = cx.link(people, model=cx.LinkModel.shipped(), link_at=0.999999999, review_at=1e-9)
    pairs = linkage.pairs.to_dicts()
    assert len({pair["verdict"] for pair in pairs}) > 1
    assert pairs == sorted(pairs, key=lambda pair: -pair["weight"])


def test_numbers_that_cannot_be_meant_are_refused_by_name() -> None:
    linkage = cx.link(PEOPLE)
    for rows in ((-1, 0), (0, -1), (2**40, 0)):
        with pytest.raises(cx.NotFoundError, match="not in the table"):
            linkage.explain(*rows)
    for probability in (0.0, 1.0):
        with pytest.raises(cx.InvalidArgumentError, match="neither of them"):
            cx.link(PEOPLE, link_at=probability)
    with pytest.raises(cx.InvalidArgumentError, match="threads"):
        cx.link(PEOPLE, threads=-1)
    with pytest.raises(cx.InvalidArgumentError, match="records"):
        cx.LinkModel.shipped().to_splink(records=-1)
