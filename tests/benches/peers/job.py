"""What the contestants in Python share: the clock, the lines, and what a line says."""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import NamedTuple

BATCH = 50_000
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)

#: Identifiers that name a thing, not a person: they join nobody.
BRIDGES = frozenset({"order", "cart", "checkout", "conversation"})

Identifier = tuple[str, str]


class Done(NamedTuple):
    """What a contestant has found, and what that took."""

    cpu: float
    wall: float
    n_events: int
    duplicates: int
    customers: int


class Clock:
    """CPU time of this process, user and system, and time of the wall, since it was made."""

    def __init__(self) -> None:
        self.cpu, self.wall = self.now()

    @staticmethod
    def now() -> tuple[float, float]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime, time.perf_counter()

    def done(self, n_events: int, duplicates: int = 0, customers: int = 0) -> Done:
        cpu, wall = self.now()
        return Done(cpu - self.cpu, wall - self.wall, n_events, duplicates, customers)


class Parsed(NamedTuple):
    """What the job needs of an event."""

    key: str
    rev: str
    at: int
    kind: str
    channel: str
    direction: str
    source: str
    name: str | None
    who: list[Identifier]
    conversation: str | None
    text: str | None
    state: str | None
    line: str


def parse(line: str) -> Parsed:
    event = json.loads(line)
    source = event["source"]
    kind = event["kind"]
    talk = event.get("conversation")
    body = event.get("body")
    who = [
        (f"{claim['ns']}:{claim['scope']}" if "scope" in claim else claim["ns"], claim["value"])
        for claim in event.get("who", ())
        if claim["ns"] not in BRIDGES
    ]
    return Parsed(
        key=event["key"],
        rev=event.get("rev", ""),
        at=(datetime.fromisoformat(event["occurred_at"]) - EPOCH) // MICROSECOND,
        kind=kind,
        channel=event.get("channel", "other"),
        direction=event.get("direction", "none"),
        source=f"{source['system']}:{source.get('instance', '')}",
        name=event.get("name"),
        who=who,
        conversation=talk["key"] if talk else None,
        text=body["text"] if body else None,
        state=event["data"]["to"] if kind == "conversation.status" else None,
        line=line,
    )


@dataclass(slots=True)
class Conversation:
    """A conversation, open until its source says it is closed; an answer opens it again."""

    identifier_id: int | None
    state: str = "open"
    state_at: int = -1
    last_at: int = -1
    last_direction: str | None = None
    last_text: str | None = None

    def take_in(self, event: Parsed) -> None:
        if event.state is not None and event.at >= self.state_at:
            self.state, self.state_at = event.state, event.at
        elif event.direction == "in" and event.at > self.state_at and self.state != "open":
            self.state, self.state_at = "open", event.at
        if event.text is not None and event.at >= self.last_at:
            self.last_at, self.last_direction = event.at, event.direction
            self.last_text = event.text[:200]


Told = tuple[str | None, int, int]


def told(
    heard: list[tuple[Parsed, int]], find: Callable[[int], int]
) -> tuple[dict[int, Told], Counter[tuple[int, str]]]:
    """By customer: name, first and last event of a batch; and how many by channel."""
    customers: dict[int, Told] = {}
    counts: Counter[tuple[int, str]] = Counter()
    for event, customer in heard:
        customer = find(customer)
        name, first, last = customers.get(customer, (None, event.at, event.at))
        customers[customer] = (event.name or name, min(first, event.at), max(last, event.at))
        counts[customer, event.channel] += 1
    return customers, counts


def batches(path: str, most: int | None = None) -> Iterator[list[str]]:
    """The lines of a file, 50,000 at a time, as many as cx takes in at most."""
    with open(path, encoding="utf-8") as file:
        lines = (line.rstrip("\n") for line in islice(file, most))
        while batch := list(islice(lines, BATCH)):
            yield batch
