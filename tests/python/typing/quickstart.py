"""What people write, checked by mypy in strict mode and never run."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
from typing_extensions import assert_type

import cxcontext as cx


def ask(path: Path, rows: list[dict[str, Any]], frame: pl.DataFrame, table: pa.Table) -> None:
    with cx.open(path, tenant="acme") as store:
        assert_type(store, cx.Store)
        assert_type(store.ingest(rows, tz="Europe/Amsterdam"), cx.IngestReport)
        store.ingest(frame)
        store.ingest(table)
        store.ingest(store.events())
        store.ingest(event for event in store.timeline("jan@example.nl"))
        store.ingest(rows, progress=lambda done, total: print(done, total))
        report = store.import_file("tickets.json", source="zendesk", own=["shop.example"])
        assert_type(report.problems, tuple[str, ...])

        context = store.context("+31 6 1234 5678", as_of=dt.datetime.now(dt.timezone.utc))
        assert_type(context, cx.Context)
        if context.customer is not None:
            assert_type(context.customer.name, str | None)
            assert_type(context.customer.since, dt.datetime)
            for identifier in context.customer.identifiers:
                assert_type(identifier.links, bool)
        for matter in context.open:
            assert_type(matter.waiting_since, dt.datetime | None)
            if matter.last is not None:
                assert_type(matter.last.text, str | None)
        for channel, contacts in context.contacts.by_channel.items():
            assert_type(channel, str)
            assert_type(contacts.count_90d, int)
        if context.handover is not None and context.handover.from_ is not None:
            assert_type(context.handover.from_.name, str | None)
        for journey in store.journeys("jan@example.nl"):
            assert_type(journey.started, dt.datetime)

        for event in store.timeline("jan@example.nl", channel=["email", "chat"], order="newest"):
            assert_type(event, cx.Event)
        assert_type(store.events().to_polars(), pl.DataFrame)
        assert_type(store.events().to_pandas(), pd.DataFrame)
        assert_type(store.events().to_dicts(), list[dict[str, Any]])
        assert_type(pl.DataFrame(store.events()), pl.DataFrame)
        assert_type(pl.DataFrame(store.scan()), pl.DataFrame)
        assert_type(pl.DataFrame(cx.link(rows).persons), pl.DataFrame)
        assert_type(store.compact(), cx.Fields)
        for hit in store.search("parcel"):
            assert_type(hit.event.text, str | None)
        for waiting in store.who_is_waiting():
            assert_type(waiting.customer, str | None)
            assert_type(waiting.since, dt.datetime)
        for customer in store.customers():
            assert_type(customer, str)
            assert_type(store.find(customer).customers[0].n_events, int)
        transcript = store.conversation("mail/1")
        assert_type(transcript.conversation.subject, str | None)

        said = store.same("jan@example.nl", store.event("pbx/1"), by="agent:7")
        assert_type(store.revoke(said, by="agent:8", reason="his brother"), str)
        assert_type(store.check().is_clean, bool)
        store.backup(path.with_suffix(".backup"))


def refuse(store: cx.Store) -> None:
    store.context("jan@example.nl", audience="boss")  # type: ignore[arg-type]
    store.context("jan@example.nl", "2026-03-04")  # type: ignore[call-arg]
    store.same("jan@example.nl", "+31612345678")  # type: ignore[call-arg]
    store.ingest(7)  # type: ignore[arg-type]
    store.import_file("x", source="zendsk")  # type: ignore[arg-type]
    print(store.context("jan@example.nl").customer.name)  # type: ignore[union-attr]


def catch(path: str) -> str | None:
    try:
        cx.open(path, read_only=True)
    except cx.MissingFileError as error:
        return error.path
    except cx.InvalidEventError as error:
        return error.field
    except OSError:
        return None
    return None
