"""Records for the tests: invented people, reserved addresses and numbers."""

from __future__ import annotations

from typing import Any

MAIL: dict[str, Any] = {
    "key": "mail:acme/msgid/1@example.nl",
    "source": {"system": "mail", "instance": "acme", "object": "message", "id": "1@example.nl"},
    "kind": "message",
    "channel": "email",
    "direction": "in",
    "occurred_at": "2026-03-02T09:00:00+01:00",
    "actor": {"type": "customer", "name": "Jan Jansen"},
    "who": [{"ns": "email", "value": "Jan@Example.nl", "role": "from"}],
    "conversation": {
        "key": "mail:acme/thread/1@example.nl",
        "subject": "Where is my parcel?",
        "aliases": ["mail:acme/thread/0@example.nl"],
    },
    "body": {"text": "Order 1001 has not come.", "whole": "Order 1001 has not come.\n> old"},
    "attachments": [{"name": "receipt.pdf", "size": 12_345}],
    "data": {"message_id": "1@example.nl", "weight": 1.5, "deep": {"a": [1, None]}},
    "extra": {"headers": [["X-Mailer", "pine"]], "umlaut": "größer"},
    "loyalty_tier": "gold",
}

CHAT: dict[str, Any] = {
    "key": "chatwoot:acme/message/7",
    "rev": "2",
    "seq": 7,
    "source": {"system": "chatwoot", "instance": "acme"},
    "kind": "message",
    "channel": "chat",
    "direction": "in",
    "occurred_at": "2026-03-03T10:00:00.123456Z",
    "actor": {"type": "customer"},
    "name": "Jan Jansen",
    "who": [{"ns": "email", "value": "jan@example.nl", "role": "from"}],
    "conversation": {"key": "chatwoot:acme/conversation/11"},
    "body": {"text": "", "lang": "nl"},
}

NOTE: dict[str, Any] = {
    "key": "chatwoot:acme/message/8",
    "source": {"system": "chatwoot", "instance": "acme"},
    "kind": "note",
    "channel": "chat",
    "visibility": "internal",
    "occurred_at": "2026-03-03T10:05:00Z",
    "actor": {"type": "agent", "id": "7", "name": "Sam"},
    "conversation": {"key": "chatwoot:acme/conversation/11"},
    "body": {"text": "Looks like the courier lost it."},
}

CALL: dict[str, Any] = {
    "key": "twilio:AC1/call/CA1#completed",
    "source": {"system": "twilio", "instance": "AC1"},
    "kind": "call",
    "channel": "phone",
    "direction": "in",
    "occurred_at": "2026-03-04T10:02:00+01:00",
    "actor": {"type": "customer"},
    "who": [
        {"ns": "phone", "value": "+31612345678", "role": "from"},
        {"ns": "email", "value": "jan@example.nl", "role": "from", "assurance": "self_stated"},
    ],
    "data": {"duration_s": 61, "outcome": "answered"},
}

BARE: dict[str, Any] = {
    "key": "till:1",
    "source": {"system": "till"},
    "kind": "custom.visit",
    "occurred_at": "1969-12-31T23:59:59Z",
}

# The same call of somebody who is logged in: the address is proved, and makes it Jan's.
PROVED_CALL: dict[str, Any] = {
    **CALL,
    "key": "twilio:AC1/call/CA2#completed",
    "who": [
        {"ns": "phone", "value": "+31612345678", "role": "from"},
        {"ns": "email", "value": "jan@example.nl", "role": "from", "assurance": "authenticated"},
    ],
}

STORY: list[dict[str, Any]] = [MAIL, CHAT, NOTE, CALL, BARE]
JAN: list[dict[str, Any]] = [MAIL, CHAT, NOTE, PROVED_CALL, BARE]
