"""One store, many threads."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import cxcontext as cx
from records import JAN


def calls(n: int, *, of: str) -> list[dict[str, Any]]:
    return [
        {
            "key": f"{of}/{number}",
            "source": {"system": "pbx"},
            "kind": "call",
            "channel": "phone",
            "direction": "in",
            "occurred_at": "2026-03-01T00:00:00Z",
            "who": [{"ns": "email", "value": f"{of}{number % 40}@example.nl", "role": "from"}],
        }
        for number in range(n)
    ]


def others_ran_during(call: Callable[[], object]) -> bool:
    """Whether this thread ran Python while another was in the middle of the call."""
    span: list[float] = []

    def timed() -> None:
        span.append(time.perf_counter())
        call()
        span.append(time.perf_counter())

    ticks: list[float] = []
    thread = threading.Thread(target=timed)
    thread.start()
    while thread.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(0.0005)
    thread.join()
    begin, end = span
    # Around its ends the other thread may run anyway, so only the middle counts.
    third = (end - begin) / 3
    return any(begin + third < tick < end - third for tick in ticks)


def test_python_goes_on_while_the_store_works(tmp_path: Path) -> None:
    with cx.open(tmp_path / "support.cx") as store:
        table = cx.Events(calls(3_000, of="a"))
        assert others_ran_during(lambda: store.ingest(table))
        assert others_ran_during(store.check)


def test_python_goes_on_while_a_file_is_imported(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in calls(1_000, of="a")))
    with cx.open() as store:
        assert others_ran_during(lambda: store.import_file(file, source="jsonl"))


@pytest.mark.parametrize("place", ["file", "memory"])
def test_threads_write_and_read_at_once(place: str, tmp_path: Path) -> None:
    path = tmp_path / "support.cx" if place == "file" else None
    with cx.open(path) as store:
        store.ingest(JAN)

        def write(of: str) -> int:
            rows = calls(120, of=of)
            return sum(store.ingest(rows[at : at + 40]).new for at in range(0, 120, 40))

        def read(_: int) -> int:
            for _ in range(10):
                context = store.context("jan@example.nl")
                assert context.customer is not None
                assert context.customer.name == "Jan Jansen"
                assert len(list(store.events())) >= len(JAN)
                store.who_is_waiting()
                store.search("parcel")
            return 0

        with ThreadPoolExecutor(6) as pool:
            written = [pool.submit(write, of) for of in "abc"]
            reads = [pool.submit(read, number) for number in range(3)]
            assert [future.result(timeout=120) for future in written] == [120, 120, 120]
            assert [future.result(timeout=120) for future in reads] == [0, 0, 0]
        assert len(store.events()) == len(JAN) + 360
        assert store.check().is_clean


def test_the_order_of_threads_does_not_matter(tmp_path: Path) -> None:
    batches = [calls(60, of="a"), calls(60, of="b"), JAN]

    def customers(order: list[list[dict[str, Any]]]) -> list[str]:
        with cx.open() as store:
            with ThreadPoolExecutor(3) as pool:
                list(
                    pool.map(
                        lambda rows: store.ingest(rows, recorded_at="2026-03-05T00:00:00Z"), order
                    )
                )
            return list(store.customers())

    assert customers(batches) == customers(batches[::-1])


def test_closing_while_others_read_breaks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "support.cx"
    store = cx.open(path)
    store.ingest(calls(400, of="a"))
    started = threading.Barrier(4)

    def read() -> str:
        started.wait()
        try:
            while True:
                store.context("a1@example.nl")
                list(store.events())
        except cx.StoreClosedError:
            return "closed"

    with ThreadPoolExecutor(3) as pool:
        reads = [pool.submit(read) for _ in range(3)]
        started.wait()
        time.sleep(0.05)
        store.close()
        assert [future.result(timeout=60) for future in reads] == ["closed"] * 3
    with cx.open(path) as again:
        assert len(again.events()) == 400
        assert again.check().is_clean


def test_one_iterator_serves_several_threads() -> None:
    with cx.open() as store:
        store.ingest(calls(300, of="a"))
        events, customers = iter(store.events()), store.customers()

        def drain(_: int) -> tuple[list[str], list[str]]:
            return [event.key for event in events], list(customers)

        with ThreadPoolExecutor(4) as pool:
            drained = list(pool.map(drain, range(4)))
        keys = [key for part, _ in drained for key in part]
        assert len(keys) == len(set(keys)) == 300
        ids = [customer for _, part in drained for customer in part]
        assert len(ids) == len(set(ids)) == 40


def test_progress_may_use_the_store_it_tells_of(tmp_path: Path) -> None:
    seen: list[int] = []
    with cx.open() as store:
        store.ingest(
            calls(50, of="a"), progress=lambda done, total: seen.append(len(store.events()))
        )
    assert seen == [50]
