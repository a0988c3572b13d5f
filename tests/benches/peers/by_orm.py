"""The job on SQLAlchemy's ORM, as its tutorial teaches: mapped classes, a session a batch.

What a batch names is loaded with `IN`, objects are changed in Python, and the unit of work writes
what has changed when the batch is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from sqlalchemy import ForeignKey, Index, UniqueConstraint, create_engine, event, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from peers import by_hand, job

T = TypeVar("T")


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    first_at: Mapped[int]
    last_at: Mapped[int]
    identifiers: Mapped[list[Identifier]] = relationship(back_populates="customer")
    counts: Mapped[list[ChannelCount]] = relationship(
        back_populates="customer", cascade="all, delete-orphan"
    )


class Identifier(Base):
    __tablename__ = "identifier"
    __table_args__ = (UniqueConstraint("ns", "value"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    ns: Mapped[str]
    value: Mapped[str]
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    customer: Mapped[Customer] = relationship(back_populates="identifiers")


class Event(Base):
    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("key", "rev"),
        Index("event_timeline", "identifier_id", "occurred_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]
    rev: Mapped[str]
    identifier_id: Mapped[int | None] = mapped_column(ForeignKey("identifier.id"))
    identifier: Mapped[Identifier | None] = relationship()
    occurred_at: Mapped[int]
    kind: Mapped[str]
    channel: Mapped[str]
    direction: Mapped[str]
    source: Mapped[str]
    conversation: Mapped[str | None]
    json: Mapped[str]


class Conversation(Base):
    __tablename__ = "conversation"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    identifier_id: Mapped[int | None] = mapped_column(ForeignKey("identifier.id"))
    identifier: Mapped[Identifier | None] = relationship()
    state: Mapped[str] = mapped_column(index=True)
    state_at: Mapped[int]
    last_at: Mapped[int]
    last_direction: Mapped[str | None]
    last_text: Mapped[str | None]

    # The same rule as by hand.
    take_in = job.Conversation.take_in


class ChannelCount(Base):
    __tablename__ = "channel_count"
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]
    customer: Mapped[Customer] = relationship(back_populates="counts")


def parts(values: Iterable[T], size: int = 5_000) -> Iterator[list[T]]:
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


class Batch:
    """What a batch names, loaded."""

    def __init__(self, session: Session, events: list[job.Parsed]) -> None:
        self.session = session
        self.identifiers: dict[job.Identifier, Identifier] = {}
        self.conversations: dict[str, Conversation] = {}
        self.counts: dict[tuple[Customer, str], ChannelCount] = {}
        names = {name for parsed in events for name in parsed.who}
        for part in parts({value for _, value in names}):
            for found in session.scalars(select(Identifier).where(Identifier.value.in_(part))):
                self.identifiers[found.ns, found.value] = found
        ids = {found.customer_id for found in self.identifiers.values()}
        # Held, so that the session knows them by their ids until the batch is done.
        self.customers: list[Customer] = []
        for some in parts(ids):
            self.customers += session.scalars(select(Customer).where(Customer.id.in_(some)))
            counts = select(ChannelCount).where(ChannelCount.customer_id.in_(some))
            for count in session.scalars(counts):
                self.counts[count.customer, count.channel] = count
        for part in parts({p.conversation for p in events if p.conversation is not None}):
            talks = select(Conversation).where(Conversation.key.in_(part))
            for talk in session.scalars(talks):
                self.conversations[talk.key] = talk

    def whose(self, parsed: job.Parsed) -> Identifier:
        known = [self.identifiers[name] for name in parsed.who if name in self.identifiers]
        found = {identifier.customer for identifier in known}
        if found:
            customer, *others = sorted(found, key=lambda one: (one.id is None, one.id or 0))
            for other in others:
                self.join(customer, other)
        else:
            customer = Customer(first_at=parsed.at, last_at=parsed.at)
            self.session.add(customer)
        for name in parsed.who:
            if name not in self.identifiers:
                made = Identifier(ns=name[0], value=name[1], customer=customer)
                self.session.add(made)
                self.identifiers[name] = made
        customer.name = parsed.name or customer.name
        customer.first_at = min(customer.first_at, parsed.at)
        customer.last_at = max(customer.last_at, parsed.at)
        self.count(customer, parsed.channel, 1)
        return self.identifiers[parsed.who[0]]

    def count(self, customer: Customer, channel: str, n: int) -> None:
        count = self.counts.get((customer, channel))
        if count is None:
            made = ChannelCount(customer=customer, channel=channel, n=n)
            self.session.add(made)
            self.counts[customer, channel] = made
        else:
            count.n += n

    def join(self, customer: Customer, other: Customer) -> None:
        for identifier in list(other.identifiers):
            identifier.customer = customer
        for count in list(other.counts):
            self.counts.pop((other, count.channel), None)
            self.count(customer, count.channel, count.n)
        customer.name = customer.name or other.name
        customer.first_at = min(customer.first_at, other.first_at)
        customer.last_at = max(customer.last_at, other.last_at)
        if other in self.session.new:
            self.session.expunge(other)
        else:
            self.session.delete(other)


def take_in(session: Session, lines: list[str]) -> int:
    fresh = {(e.key, e.rev): e for e in reversed([job.parse(line) for line in lines])}
    for part in parts([key for key, _ in fresh]):
        there = select(Event.key, Event.rev).where(Event.key.in_(part))
        for key, rev in session.execute(there):
            fresh.pop((key, rev), None)
    events = list(fresh.values())[::-1]
    batch = Batch(session, events)
    for e in events:
        identifier = batch.whose(e) if e.who else None
        if e.conversation is not None:
            talk = batch.conversations.get(e.conversation)
            if talk is None:
                talk = Conversation(
                    key=e.conversation, identifier=identifier, state="open", state_at=-1, last_at=-1
                )
                session.add(talk)
                batch.conversations[e.conversation] = talk
            talk.take_in(e)
        session.add(
            Event(
                key=e.key, rev=e.rev, identifier=identifier, occurred_at=e.at, kind=e.kind,
                channel=e.channel, direction=e.direction, source=e.source,
                conversation=e.conversation, json=e.line,
            )
        )  # fmt: skip
    session.commit()
    session.expunge_all()
    return len(lines) - len(events)


def run(events: str, folder: str, most: int) -> job.Done:
    engine = create_engine(f"sqlite:///{folder}/by_orm.db")

    @event.listens_for(engine, "connect")
    def set_up(connection: object, _: object) -> None:
        connection.executescript(by_hand.PRAGMAS)  # type: ignore[attr-defined]

    Base.metadata.create_all(engine)
    clock = job.Clock()
    with Session(engine, autoflush=False, expire_on_commit=False) as session:
        duplicates = sum(take_in(session, lines) for lines in job.batches(events, most))
        n_events = session.scalar(select(func.count()).select_from(Event)) or 0
        customers = session.scalar(select(func.count()).select_from(Customer)) or 0
    engine.dispose()
    return clock.done(n_events, duplicates, customers)
