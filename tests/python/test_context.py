"""The answer about one customer, as Python sees it."""

from __future__ import annotations

import ast
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cxcontext as cx
from records import CALL, JAN, MAIL, NOTE, PROVED_CALL

UTC = dt.timezone.utc
NOON = dt.datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SCHEMA = Path(__file__).parents[2] / "docs" / "schema" / "context.v1.json"


@pytest.fixture
def store() -> Iterator[cx.Store]:
    with cx.open() as store:
        store.ingest(JAN, recorded_at=NOON)
        yield store


@pytest.fixture
def context(store: cx.Store) -> cx.Context:
    return store.context("jan@example.nl", as_of=NOON)


def test_one_answer_joins_the_channels(context: cx.Context) -> None:
    assert context.customer is not None
    assert context.customer.name == "Jan Jansen"
    assert context.match.confidence == "certain"
    identifiers = {(identifier.ns, identifier.value) for identifier in context.customer.identifiers}
    assert identifiers == {("email", "jan@example.nl"), ("phone", "+31612345678")}
    channels = [contact.channel for contact in context.contacts.recent]
    assert channels[0] == "phone", "the newest contact comes first"
    assert set(channels) == {"phone", "chat", "email"}
    assert context.contacts.by_channel["email"].count_90d == 1
    call = context.contacts.recent[0]
    assert (call.kind, call.outcome, call.duration_s) == ("call", "answered", 61)
    assert [matter.conversation for matter in context.open] == [
        MAIL["conversation"]["key"],
        "chatwoot:acme/conversation/11",
    ]
    assert context.open[0].subject == "Where is my parcel?"
    assert context.open[0].waiting_on == "us"


def test_instants_are_aware_and_in_utc(context: cx.Context) -> None:
    assert context.as_of == NOON
    assert context.as_of.utcoffset() == dt.timedelta(0)
    assert context.customer is not None
    assert context.customer.since == dt.datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    assert context.contacts.recent[0].at == dt.datetime(2026, 3, 4, 9, 2, tzinfo=UTC)
    last = context.contacts.by_channel["phone"].last
    assert last is not None
    assert last.tzinfo is not None


def instants(value: Any, path: str = "") -> Iterator[str]:
    """Where in a part of an answer something stands that looks like an instant, as text."""
    if isinstance(value, cx.Fields):
        for name, item in value.items():
            yield from instants(item, f"{path}.{name}")
    elif isinstance(value, tuple):
        for item in value:
            yield from instants(item, path)
    elif isinstance(value, str):
        try:
            dt.datetime.strptime(value[:20], "%Y-%m-%dT%H:%M:%SZ")
        except ValueError:
            return
        yield path


def test_no_instant_is_left_as_text(store: cx.Store) -> None:
    who = [{"ns": "phone", "value": "+31687654321", "role": "from"}]
    store.ingest([{**JAN[0], "key": "call/9", "who": who}], recorded_at=NOON)
    store.same("jan@example.nl", "+31687654321", by="agent:7", at=NOON)
    context = store.context("jan@example.nl", as_of=NOON + dt.timedelta(hours=1))
    assert context.provenance.merges
    blocks = [name for name in dir(context) if not name.startswith(("_", "to_"))]
    assert [path for name in blocks for path in instants(getattr(context, name), name)] == []
    for other in (store.find("jan@example.nl"), *store.who_is_waiting(), *store.assertions()):
        assert list(instants(other)) == []


def test_every_block_of_the_json_is_an_attribute(context: cx.Context) -> None:
    blocks = context.to_dict()
    assert list(blocks)[:4] == ["v", "as_of", "audience", "match"], "in order of usefulness"
    for name, block in blocks.items():
        value = getattr(context, name)
        if isinstance(value, cx.Fields):
            assert value.to_dict() == block
        elif isinstance(block, list):
            assert [item.to_dict() for item in value] == block
        elif name == "as_of":
            assert value.isoformat().replace("+00:00", "Z") == block
        else:
            assert value == block


#: The classes of the stubs that are not called as the block of the schema.
STUBS = {
    "Context": "Context",
    "SourceBlock": "_SourceRef",
    "Summary": "_Journey",
    "StepSummary": "_Step",
}


def stub_properties() -> dict[str, dict[str, str]]:
    """The annotation of each property of each class of the stubs, inherited ones too."""
    stubs = Path(cx.__file__).parent / "_native.pyi"
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(stubs.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            own = found[node.name] = {}
            for base in node.bases:
                own |= found.get(base.id, {}) if isinstance(base, ast.Name) else {}
            for item in node.body:
                if not isinstance(item, ast.FunctionDef) or item.returns is None:
                    continue
                if "property" in map(ast.unparse, item.decorator_list):
                    own[item.name.rstrip("_")] = ast.unparse(item.returns)
    return found


def test_the_stubs_have_each_field_of_the_schema() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    blocks = {name: block for name, block in schema["$defs"].items() if "properties" in block}
    stubs = stub_properties()
    wrong = []
    for name, block in {**blocks, "Context": schema}.items():
        stub = stubs[STUBS.get(name, "_" + name.removesuffix("Block"))]
        held_by_one = set(stub) ^ set(block["properties"])
        wrong += [f"{name}.{field} is in one of both" for field in sorted(held_by_one)]
        for field, held in block["properties"].items():
            told = stub.get(field, "Any")
            kinds = held.get("type", [])
            others = [one.get("type") for one in held.get("anyOf", [])]
            may_be_none = "null" in (kinds if isinstance(kinds, list) else [kinds]) + others
            if may_be_none != ("None" in told) and told != "Any":
                wrong.append(f"{name}.{field} is {told} in the stubs, and {held} in the schema")
    assert len(blocks) > 40
    assert wrong == []


def test_the_json_is_that_of_the_schema(context: cx.Context) -> None:
    blocks = json.loads(context.to_json())
    assert blocks == context.to_dict()
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert set(schema["required"]) <= set(blocks) == set(schema["properties"])


def test_the_same_answer_is_equal_and_has_the_same_bytes(store: cx.Store) -> None:
    one = store.context("jan@example.nl", as_of=NOON)
    same = store.context("JAN@example.nl", as_of="2026-03-04T13:00:00+01:00")
    assert one == same
    assert one.to_json() == same.to_json()
    assert one != store.context("jan@example.nl", as_of=NOON + dt.timedelta(seconds=1))
    assert one != one.to_dict()


def test_a_context_cannot_be_changed(context: cx.Context) -> None:
    with pytest.raises(AttributeError):
        context.customer = None  # type: ignore[misc]
    with pytest.raises(AttributeError):
        context.customer.name = "x"  # type: ignore[misc, union-attr]
    context.to_dict()["customer"]["name"] = "x"
    assert context.customer is not None
    assert context.customer.name == "Jan Jansen"


def test_who_nobody_knows_gets_an_answer_that_says_so(store: cx.Store) -> None:
    context = store.context("stranger@example.nl", as_of=NOON)
    assert (context.customer, context.match.confidence) == (None, "none")
    assert (context.match.by[0].ns, context.match.by[0].value) == ("email", "stranger@example.nl")
    assert (context.open, context.alerts, context.contacts.recent) == ((), (), ())
    assert repr(context) == "Context(None, none, open=0, as_of=2026-03-04T12:00:00Z)"
    assert str(context)
    assert context.to_markdown()
    assert context._repr_html_()


def test_where_several_share_it_none_is_chosen(store: cx.Store) -> None:
    for name in ("Eva Smit", "Piet Bakker"):
        store.ingest(
            [
                {
                    **CALL,
                    "key": f"pbx/{name}",
                    "name": name,
                    "who": [
                        {"ns": "phone", "value": "+31201234567", "role": "from"},
                        {"ns": "email", "value": f"{name[:3].lower()}@example.nl", "role": "from"},
                    ],
                }
            ]
        )
    context = store.context("+31201234567", as_of=NOON)
    assert (context.customer, context.match.confidence) == (None, "ambiguous")
    assert {other.name for other in context.match.others} == {"Eva Smit", "Piet Bakker"}


def test_nothing_later_than_the_instant_is_in_it(store: cx.Store) -> None:
    context = store.context("jan@example.nl", as_of="2026-03-02T12:00:00Z")
    assert [contact.event for contact in context.contacts.recent] == [MAIL["key"]]


def test_without_an_instant_it_is_now(store: cx.Store) -> None:
    before = dt.datetime.now(UTC)
    as_of = store.context("jan@example.nl").as_of
    assert before <= as_of <= dt.datetime.now(UTC)


def test_each_audience_gets_its_own_answer(store: cx.Store) -> None:
    def texts(audience: Any) -> str:
        context = store.context("jan@example.nl", as_of=NOON, audience=audience)
        assert context.audience == audience
        return context.to_json()

    note, mail = NOTE["body"]["text"], MAIL["body"]["text"]
    assert note in texts("agent")
    assert mail in texts("agent")
    assert note not in texts("customer")
    assert mail not in texts("marketing")
    assert "+31612345678" not in texts("model")
    with pytest.raises(cx.InvalidArgumentError, match='"marketing"') as caught:
        texts("boss")
    assert (caught.value.argument, caught.value.value) == ("audience", "boss")


def test_what_is_asked_for_is_bounded(store: cx.Store) -> None:
    context = store.context("jan@example.nl", as_of=NOON, items=1, characters=8)
    (contact,) = context.contacts.recent
    assert contact.event == PROVED_CALL["key"]
    assert context.provenance.left_out
    for matter in context.open:
        assert matter.last is None or len(matter.last.text or "") <= 8
    with pytest.raises((OverflowError, ValueError)):
        store.context("jan@example.nl", items=-1)


def test_a_customer_id_or_a_number_asks_for_the_same_customer(store: cx.Store) -> None:
    expected = next(store.customers())
    for typed in (expected, "+31 6 1234 5678", "phone:+31612345678", " JAN@example.nl "):
        customer = store.context(typed).customer
        assert customer is not None
        assert customer.id == expected
    customer = store.context("06-12345678", region="nl").customer
    assert customer is not None
    assert customer.id == expected


def test_it_is_shown_as_text_markdown_and_html(context: cx.Context) -> None:
    assert repr(context) == ("Context('Jan Jansen', certain, open=2, as_of=2026-03-04T12:00:00Z)")
    text = str(context)
    assert "Jan Jansen" in text.splitlines()[0]
    assert "Where is my parcel?" in text
    assert "\x1b" not in text, "no colours where nobody asked for them"
    markdown = context.to_markdown()
    assert markdown.startswith("# `Jan Jansen`")
    assert "untrusted" in markdown
    short = context.to_markdown(max_tokens=100)
    assert len(short) < len(markdown)
    assert "Left out" in short
    html = context._repr_html_()
    assert "Jan Jansen" in html
    assert "<article" in html


def test_what_customers_write_is_never_markup(store: cx.Store) -> None:
    evil = {**MAIL, "key": "mail/evil", "name": "<b>Jan</b>", "rev": "2"}
    evil["who"] = [{"ns": "email", "value": "evil@example.nl", "role": "from"}]
    evil["conversation"] = {"key": "mail/evil", "subject": "<script>alert(1)</script>"}
    evil["body"] = {"text": "<img src=x onerror=alert(1)>"}
    store.ingest([evil])
    context = store.context("evil@example.nl", as_of=NOON)
    html = context._repr_html_()
    assert context.open[0].subject == "<script>alert(1)</script>"
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert "http" not in html, "nothing from outside"
