//! Events without the person: what is left for counts and measures after an erasure.

use serde_json::{Map, Value};

use super::{ConversationRef, Event};
use crate::actor::Actor;
use crate::identifier::Claim;

/// Fields whose values are numbers, instants or words of a closed list, and say nothing about who
/// somebody is.
const KEPT: &[&str] = &[
    "accepted_at",
    "amount",
    "answered_at",
    "bounce",
    "campaign",
    "currency",
    "due_at",
    "duration_s",
    "ended_at",
    "fulfilment",
    "good",
    "incident",
    "machine",
    "max",
    "metric",
    "min",
    "on",
    "outcome",
    "payment",
    "price",
    "purpose",
    "quantity",
    "relation",
    "renews_at",
    "scale",
    "score",
    "sku",
    "snoozed_until",
    "started_at",
    "state",
    "survey",
    "told_customer",
    "total",
];

/// Fields that name a thing: what points at the same thing still does.
const NAMES: &[&str] = &[
    "about",
    "callback",
    "cart_id",
    "checkout_id",
    "feedback",
    "into",
    "mail_id",
    "message_id",
    "order_id",
    "refund_id",
    "subscription_id",
    "target",
];

impl Event {
    /// The event without anything of the person it is about: when, where and what kind of thing
    /// happened, states, scores, sums of money, and which of the business's people and systems
    /// took part. No text, name, address, file, link or verbatim rest is left.
    ///
    /// `person` takes the place of all claims; `token` gives each name of a thing another one,
    /// the same for the same, so that an answer still belongs to its question. `None` for a kind
    /// that is nothing without what was taken out.
    pub fn anonymised(&self, person: Claim, token: &dyn Fn(&str) -> String) -> Option<Self> {
        let mut source = self.source.clone();
        source.id = if source.id.is_empty() { String::new() } else { token(&source.id) };
        let staff = !self.actor.kind.is_customer_side();
        let mut data = self.kind.to_json();
        strip(&mut data, &self.kind.name(), token);
        let conversation = match &self.conversation {
            None => None,
            Some(conversation) => {
                let mut bare = ConversationRef::of(token(conversation.key.as_str()).parse().ok()?);
                for alias in &conversation.aliases {
                    bare.aliases.push(token(alias.as_str()).parse().ok()?);
                }
                Some(bare)
            }
        };
        let bare = Self {
            source,
            channel: self.channel.clone(),
            direction: self.direction,
            visibility: self.visibility,
            actor: if staff {
                self.actor.clone()
            } else {
                Actor { id: None, name: None, ..self.actor.clone() }
            },
            who: vec![person],
            conversation,
            occurred_at_origin: self.occurred_at_origin,
            seq: self.seq,
            ..Self::new(
                token(self.key.as_str()).parse().ok()?,
                self.source.clone(),
                self.kind.clone(),
                self.occurred_at,
            )
        };
        let mut json = bare.to_json();
        json.insert("data".to_owned(), Value::Object(data));
        serde_json::from_value(Value::Object(json)).ok()
    }
}

fn strip(data: &mut Map<String, Value>, kind: &str, token: &dyn Fn(&str) -> String) {
    let is_status = kind == "conversation.status";
    // Whom the business put in charge is no secret of the customer's.
    let has_staff =
        matches!(kind, "conversation.opened" | "conversation.assigned" | "conversation.handover");
    data.retain(|field, value| {
        let field = field.as_str();
        if NAMES.contains(&field) {
            if let Value::String(name) = value {
                *name = token(name);
            }
            return true;
        }
        if KEPT.contains(&field)
            || (is_status && matches!(field, "from" | "to"))
            || (has_staff && matches!(field, "from" | "to" | "team" | "assignee" | "accepted_by"))
            || (kind == "conversation.handover" && field == "reason")
        {
            return true;
        }
        match (field, value) {
            ("lines", Value::Array(lines)) => {
                for line in lines.iter_mut().filter_map(Value::as_object_mut) {
                    strip(line, kind, token);
                    line.insert("name".to_owned(), Value::from(""));
                }
                true
            }
            _ => false,
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::{Assurance, Namespace, Role};

    fn nobody() -> Claim {
        let (scope, raw) = ("erased", "a1b2");
        Claim::scoped(Namespace::ExternalId, scope, raw, Role::Subject, Assurance::Authenticated)
            .unwrap()
    }

    #[test]
    fn nothing_of_the_person_is_left_and_counts_and_sums_are() {
        let event: Event = serde_json::from_str(
            r#"{"key": "shopify:acme/order/1001", "source": {"system": "shopify", "instance": "acme", "id": "1001"},
                "kind": "order.placed", "channel": "web", "direction": "in", "occurred_at": "2026-03-02T08:00:00+01:00",
                "name": "Secret Name", "actor": {"type": "customer", "id": "secret-id", "name": "Secret Name"},
                "who": [{"ns": "email", "value": "secret@example.nl", "role": "subject"}],
                "conversation": {"key": "mail/<secret@example.nl>", "subject": "secret"},
                "body": {"text": "secret text"}, "attachments": [{"name": "secret.pdf"}],
                "data": {"order_id": "secret-7", "name": "secret", "total": "39.80", "currency": "EUR", "payment": "paid",
                         "reason": "secret", "note": "secret",
                         "lines": [{"sku": "A-1", "name": "secret gift", "quantity": 2, "price": "19.90"}]},
                "extra": {"secret": "secret"}, "unknown_field": "secret"}"#,
        )
        .unwrap();
        let token = |name: &str| format!("erased/{}", name.len());
        let bare = event.anonymised(nobody(), &token).unwrap();
        let json = serde_json::to_string(&bare.to_json()).unwrap();
        assert!(!json.contains("ecret"), "{json}");
        assert!(
            json.contains("\"39.80\"") && json.contains("\"paid\"") && json.contains("A-1"),
            "{json}"
        );
        assert_eq!((bare.occurred_at, bare.kind.name()), (event.occurred_at, event.kind.name()));
    }
}
