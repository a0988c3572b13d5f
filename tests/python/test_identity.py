"""Who is who, from Python: explaining, previewing, correcting, erasing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

import cxcontext as cx

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.timezone.utc)


def record(
    key: str, minute: int, name: str | None, *claims: tuple[str, str, str]
) -> dict[str, object]:
    return {
        "key": key,
        "kind": "message",
        "channel": "email",
        "direction": "in",
        "occurred_at": (NOON + dt.timedelta(minutes=minute)).isoformat(),
        "name": name,
        "actor": {"type": "customer"},
        "body": {"text": f"message {key} of {name}"},
        "who": [
            {"ns": ns, "value": value, "role": "from", "assurance": assurance}
            for ns, value, assurance in claims
        ],
    }


JAN = ("email", "jan@example.nl", "channel_proved")
PHONE = ("phone", "+31206241111", "channel_proved")


@pytest.fixture
def store() -> cx.Store:
    store = cx.open()
    store.ingest(
        [
            record("mail/1", 0, "Jan de Vries", JAN),
            record("chat/1", 1, "J. de Vries", JAN, PHONE),
            record("call/1", 2, "Eva Bakker", PHONE),
            record("form/1", 3, "Jan de Vries", ("email", "jan@example.nl", "self_stated")),
        ],
        source="test",
    )
    return store


def test_why_two_are_one_person_and_why_two_are_not(store: cx.Store) -> None:
    why = store.why("jan@example.nl", "+31206241111")
    assert why is not None
    assert why.kind == "why"
    assert why.customer.names[0] in {"Jan de Vries", "J. de Vries"}
    assert why.sentences[0].startswith("Both are ")
    assert str(why) == "\n".join(why.sentences)
    assert why.to_dict()["customer"]["id"].startswith("cus_")
    customers = store.find("+31206241111").customers
    a, b = (customer.id for customer in customers)
    why_not = store.why_not(a, b)
    assert why_not is not None
    assert why_not.obstacles[0].because.reason == "names"
    assert store.why(a, b) is None
    with pytest.raises(AttributeError, match="no field"):
        _ = why.nothing_like_it


def test_a_notebook_shows_sentences_and_no_markup_of_customers(store: cx.Store) -> None:
    store.ingest(
        [
            record(
                "x",
                9,
                "<script>alert(1)</script> Smit",
                ("email", "x@example.nl", "channel_proved"),
            )
        ],
        source="t",
    )
    (how,) = store.how("x@example.nl")
    assert "<script>" not in how._repr_html_()
    assert "cx-explanation" in how._repr_html_()


def test_the_past_knows_nothing_of_the_future(store: cx.Store) -> None:
    before = NOON + dt.timedelta(seconds=30)
    assert store.how("+31206241111", as_of=before) == []
    (how,) = store.how("jan@example.nl", as_of=before)
    assert len(how.records) == 1
    assert store.context("jan@example.nl", known_at=NOON).customer is None
    with pytest.raises(cx.InvalidArgumentError):
        store.how("jan@example.nl", as_of=dt.datetime(2026, 3, 2))


def test_candidates_come_with_evidence_the_likeliest_first(store: cx.Store) -> None:
    jan = next(c.id for c in store.find("jan@example.nl").customers if c.links)
    candidates = store.candidates(jan)
    assert [candidate.relation for candidate in candidates] == ["possible", "household"]
    assert candidates[0].evidence[0].because.reason == "not_proved"


def test_a_preview_changes_nothing_and_the_feed_tells_what_did(store: cx.Store) -> None:
    a, b = (customer.id for customer in store.find("+31206241111").customers)
    before = store.changes()
    preview = store.preview("same", a, b)
    assert preview.changes[0].change == "merged"
    assert store.changes() == before
    said = store.same(a, b, by="agent:7")
    (change,) = store.changes(before[-1].seq)
    assert (change.change, change.cause.by, change.cause.assertion) == ("merged", "assertion", said)
    store.revoke(said, by="agent:7")
    assert store.changes(change.seq)[0].change == "split"


def test_what_stands_against_a_word_is_told_at_once(store: cx.Store) -> None:
    a, b = (customer.id for customer in store.find("+31206241111").customers)
    store.different(a, b, by="agent:7")
    with pytest.warns(UserWarning, match="different persons"):
        store.same(a, b, by="agent:8")


def test_a_policy_is_read_tried_and_put_in_force(store: cx.Store) -> None:
    text = store.policy()
    assert "[namespaces.phone]" in text
    strict = "[namespaces.phone]\nhub_above = 1\n"
    report = store.set_policy(strict, preview=True)
    assert (report.hubs_before, report.hubs_after) == (0, 1)
    assert store.policy() == text
    store.set_policy(strict)
    assert store.find("+31206241111").is_hub
    assert not store.check().problems
    with pytest.raises(cx.InvalidArgumentError, match="hub_abvoe"):
        store.set_policy("[namespaces.phone]\nhub_abvoe = 1")


def test_who_is_exported_and_erased_is_in_no_file_and_stays_out(tmp_path: Path) -> None:
    path = tmp_path / "a.cx"
    records = [
        record("mail/1", 0, "Zebedeus Quack", ("email", "zebedeus@quack.example", "channel_proved"))
    ]
    with cx.open(path) as store:
        store.ingest(records, source="test")
        export = store.export("zebedeus@quack.example")
        assert export.events[0].event.key == "mail/1"
        erased = store.erase("zebedeus@quack.example", mode="delete")
        assert (erased.events, erased.identifiers) == (1, 1)
        assert erased.compacted_at is not None
        again = store.ingest(records, source="test")
        assert (again.new, again.suppressed) == (0, 1)
        with pytest.raises(cx.NotFoundError):
            store.erase("zebedeus@quack.example", mode="delete")
    for file in tmp_path.iterdir():
        assert b"uack" not in file.read_bytes(), file
