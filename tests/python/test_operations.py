"""Retention, certificates of erasure, tenants."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import cxcontext as cx

RULES = '[[rule]]\nchannel = "email"\nkeep = "1 month"'
LATER = "2027-01-01T00:00:00Z"


def mail(number: int, address: str) -> dict[str, object]:
    return {
        "key": f"mail/{number}",
        "source": {"system": "mail"},
        "kind": "message",
        "channel": "email",
        "occurred_at": f"2026-03-02T09:{number:02}:00Z",
        "who": [{"ns": "email", "value": address, "role": "from", "assurance": "channel_proved"}],
    }


def test_what_is_too_old_is_told_taken_out_and_stays_out(tmp_path: Path) -> None:
    with cx.open(tmp_path / "a.cx") as store:
        records = [mail(1, "zebedeus@quack.example"), mail(2, "zebedeus@quack.example")]
        store.ingest(records, source="test")
        preview = store.retention_preview(RULES, now=LATER)
        assert (preview.events, preview.customers, len(preview.due)) == (2, 1, 1)
        assert preview.due[0].kind == "message"
        assert store.counts().events == 2
        with pytest.raises(cx.InvalidArgumentError, match="none are in force"):
            store.retain(now=LATER)
        done = store.retain(RULES, now=LATER)
        assert (done.events, done.customers) == (2, 1)
        assert done.compacted_at is not None
        again = store.ingest(records, source="test")
        assert (again.new, again.expired) == (0, 2)
        assert store.retain(now=LATER).events == 0
        assert [it.events for it in store.retentions()] == [2, 0]
        assert not store.check().problems
    for file in tmp_path.iterdir():
        assert b"quack" not in file.read_bytes(), file


READER = """\
import sqlite3, sys
reader = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
reader.execute("begin")
reader.execute("select count(*) from event").fetchone()
print("reads", flush=True)
sys.stdin.read()
"""


def test_what_is_done_is_told_where_the_file_cannot_be_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "a.cx"
    with cx.open(path) as store:
        store.ingest([mail(n, f"u{n}@quack.example") for n in range(3)], source="test")
        command = [sys.executable, "-c", READER, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"reads\n"
            with pytest.warns(cx.NotCompactedWarning, match="locked") as told:
                erased = store.erase("u1@quack.example", mode="delete")
            assert (erased.events, erased.compacted_at) == (1, None)
            assert told[0].message.done == erased  # type: ignore[union-attr]
            with pytest.warns(cx.NotCompactedWarning, match="locked"):
                gone = store.retain(RULES, now=LATER)
            assert (gone.events, gone.compacted_at) == (2, None)
            reader.communicate()
        assert store.compact().erasures[0].events == 1
        assert store.erasures()[0].compacted_at is not None


def test_rules_that_cannot_be_read_name_their_place() -> None:
    with pytest.raises(cx.InvalidArgumentError, match="soon"):
        cx.open().retention_preview('[[rule]]\nkeep = "soon"')


def test_a_compressed_store_answers_the_same(tmp_path: Path) -> None:
    with cx.open(tmp_path / "a.cx") as store:
        store.ingest([mail(n, "zebedeus@quack.example") for n in range(50)], source="test")
        before = store.context("zebedeus@quack.example", as_of=LATER).to_json()
        assert not store.is_compressed
        done = store.compress()
        assert (done.events, store.is_compressed) == (50, True)
        assert done.bytes_after < done.bytes_before / 2
        assert store.context("zebedeus@quack.example", as_of=LATER).to_json() == before
        back = store.decompress(compact=False)
        assert (back.events, back.bytes_after) == (50, done.bytes_before)
        assert not store.check().problems


def test_what_a_store_remembers_changes_no_answer(tmp_path: Path) -> None:
    with cx.open(tmp_path / "a.cx") as store:
        store.ingest([mail(n, "zebedeus@quack.example") for n in range(50)], source="test")
        asked = "zebedeus@quack.example"
        remembered = [store.context(asked, as_of=LATER).to_json() for _ in range(2)]
        store.remember(0)
        assert {store.context(asked, as_of=LATER).to_json(), *remembered} == {remembered[0]}
        with pytest.raises((OverflowError, cx.InvalidArgumentError)):
            store.remember(-1)


def test_an_erasure_is_certified(tmp_path: Path) -> None:
    with cx.open(tmp_path / "a.cx") as store:
        store.ingest([mail(1, "zebedeus@quack.example")], source="test")
        certificate = store.erase_for_good("zebedeus@quack.example", mode="delete")
        assert (certificate.search.hits, certificate.search.strings) == (0, 1)
        assert certificate.rows.event == 1
        assert "quack" not in certificate.text
        assert "found:        0" in certificate.text
        assert [it.mode for it in store.erasures()] == ["delete"]
        with pytest.raises(cx.NotFoundError):
            store.erase_for_good("zebedeus@quack.example", mode="delete")


def test_tenants_share_nothing_and_few_are_open(tmp_path: Path) -> None:
    tenants = cx.Tenants(tmp_path / "stores", most_open=2)
    ids: set[str] = set()
    for number in range(5):
        store = tenants.store(f"../{number}")
        store.ingest([mail(1, "jan@example.nl")], source="test")
        ids.update(store.customers())
        store.close()
        assert tenants.n_open <= 2
    assert len(ids) == 5
    assert tenants.names() == [f"../{number}" for number in range(5)]
    assert {path.parent for path in (tmp_path / "stores").iterdir()} == {tmp_path / "stores"}
    with pytest.raises(cx.MissingFileError):
        tenants.store("nobody", create=False)
    held = tenants.store("../0")
    with pytest.raises(cx.StoreLockedError):
        tenants.remove("../0")
    held.close()
    assert tenants.remove("../0")
    assert not tenants.remove("../0")
    with pytest.raises(cx.StoreError, match="empty"):
        tenants.store("")
