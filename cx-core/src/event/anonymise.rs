//! Events without the person: what is left for counts and measures after an erasure.

use serde_json::Map;

use super::commerce::{Cart, Checkout, Line, Order, Refund, Subscription};
use super::conversation::{
    Assigned, Changed, FieldChanged, Handover, Linked, Merged, Opened, Removal, Split, Status, Tags,
};
use super::feedback::{Acted, Answered, Asked, LoopClosed};
use super::identity::{Consent, IdentityChange, IdentityLink, People};
use super::mail::MailEvent;
use super::proactive::Incident;
use super::promise::{Callback, Sla};
use super::talk::{Call, Correction, Meeting, Message, Note, Reaction, Receipt, Voicemail};
use super::web::{AppEvent, View};
use super::{ConversationRef, Event, Kind};
use crate::actor::Actor;
use crate::identifier::Claim;

impl Event {
    /// The event without anything of the person it is about: when, where and what kind of thing
    /// happened, states, scores, sums of money, and which of the business's people and systems
    /// took part. No text, name, address, file, link or verbatim rest is left.
    ///
    /// `person` takes the place of all claims; `token` gives each name of a thing another one,
    /// the same for the same, so that an answer still belongs to its question. `None` where a token
    /// is no key.
    pub fn anonymised(&self, person: Claim, token: &dyn Fn(&str) -> String) -> Option<Self> {
        let mut source = self.source.clone();
        source.id = if source.id.is_empty() { String::new() } else { token(&source.id) };
        source.object = word(&source.object).unwrap_or_default();
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
        Some(Self {
            channel: self.channel.clone(),
            direction: self.direction,
            visibility: self.visibility,
            actor: actor(&self.actor),
            who: vec![person],
            conversation,
            occurred_at_origin: self.occurred_at_origin,
            seq: self.seq,
            ..Self::new(
                token(self.key.as_str()).parse().ok()?,
                source,
                kind(&self.kind, token),
                self.occurred_at,
            )
        })
    }
}

/// Who did it, without the name unless it is one of the business's people or systems.
fn actor(of: &Actor) -> Actor {
    if of.kind.is_business_side() { of.clone() } else { Actor::of(of.kind) }
}

/// A word that a system tells of a state or a purpose: it may stand, and a text or a number that
/// stands in its place may not.
fn word(text: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let n_digits = text.bytes().filter(u8::is_ascii_digit).count();
    let is_word = text.len() <= 40 && n_digits <= 4 && text.bytes().all(is_plain);
    is_word.then(|| text.to_owned())
}

/// The same of what has to be there.
fn word_or_erased(text: &str) -> String {
    word(text).unwrap_or_else(|| "erased".to_owned())
}

fn lines(of: &[Line]) -> Vec<Line> {
    let bare = |line: &Line| Line { name: String::new(), ..line.clone() };
    of.iter().map(bare).collect()
}

/// What happened, with the fields that say nothing about who somebody is: numbers, instants, words
/// of closed lists, what the business calls its own people and things. Names of things are told by
/// other names: what points at the same thing still does. All else is left out, and all of what cx
/// does not know.
fn kind(of: &Kind, token: &dyn Fn(&str) -> String) -> Kind {
    let name = |name: &Option<String>| name.as_deref().map(token);
    let told = |text: &Option<String>| text.as_deref().and_then(word);
    let mail = |it: &MailEvent| MailEvent {
        mail_id: name(&it.mail_id),
        service_id: name(&it.service_id),
        campaign: it.campaign.clone(),
        machine: it.machine,
        bounce: it.bounce,
        ..MailEvent::default()
    };
    let correction = |it: &Correction| Correction { target: token(&it.target), other: Map::new() };
    let receipt = |it: &Receipt| Receipt { target: token(&it.target), ..Receipt::default() };
    let sla = |it: &Sla| Sla {
        metric: word(&it.metric).unwrap_or_default(),
        due_at: it.due_at,
        ..Sla::default()
    };
    let callback = |it: &Callback| Callback {
        due_at: it.due_at,
        callback: name(&it.callback),
        ..Callback::default()
    };
    let incident =
        |it: &Incident| Incident { incident: it.incident.clone(), ..Incident::default() };
    let cart = |it: &Cart| Cart {
        cart_id: name(&it.cart_id),
        currency: it.currency,
        total: it.total,
        lines: lines(&it.lines),
        ..Cart::default()
    };
    let checkout = |it: &Checkout| Checkout {
        checkout_id: name(&it.checkout_id),
        cart_id: name(&it.cart_id),
        order_id: name(&it.order_id),
        currency: it.currency,
        total: it.total,
        lines: lines(&it.lines),
        ..Checkout::default()
    };
    let order = |it: &Order| {
        Box::new(Order {
            order_id: token(&it.order_id),
            cart_id: name(&it.cart_id),
            checkout_id: name(&it.checkout_id),
            payment: told(&it.payment),
            fulfilment: told(&it.fulfilment),
            currency: it.currency,
            total: it.total,
            lines: lines(&it.lines),
            ..Order::default()
        })
    };
    match of {
        Kind::Message(it) => Kind::Message(Message {
            message_id: name(&it.message_id),
            campaign: it.campaign.clone(),
            ..Message::default()
        }),
        Kind::Note(_) => Kind::Note(Note::default()),
        Kind::Call(it) => Kind::Call(Call {
            started_at: it.started_at,
            answered_at: it.answered_at,
            ended_at: it.ended_at,
            duration_s: it.duration_s,
            outcome: it.outcome,
            ..Call::default()
        }),
        Kind::Voicemail(it) => {
            Kind::Voicemail(Voicemail { duration_s: it.duration_s, ..Voicemail::default() })
        }
        Kind::Meeting(it) => Kind::Meeting(Meeting {
            started_at: it.started_at,
            ended_at: it.ended_at,
            ..Meeting::default()
        }),
        Kind::Reaction(it) => {
            Kind::Reaction(Reaction { target: token(&it.target), ..Reaction::default() })
        }
        Kind::MessageEdited(it) => Kind::MessageEdited(correction(it)),
        Kind::MessageRedacted(it) => Kind::MessageRedacted(correction(it)),
        Kind::MessageDeleted(it) => Kind::MessageDeleted(correction(it)),
        Kind::MessageSent(it) => Kind::MessageSent(receipt(it)),
        Kind::MessageDelivered(it) => Kind::MessageDelivered(receipt(it)),
        Kind::MessageRead(it) => Kind::MessageRead(receipt(it)),
        Kind::MessageFailed(it) => Kind::MessageFailed(receipt(it)),
        Kind::MailQueued(it) => Kind::MailQueued(mail(it)),
        Kind::MailDeferred(it) => Kind::MailDeferred(mail(it)),
        Kind::MailDelivered(it) => Kind::MailDelivered(mail(it)),
        Kind::MailOpened(it) => Kind::MailOpened(mail(it)),
        Kind::MailClicked(it) => Kind::MailClicked(mail(it)),
        Kind::MailBounced(it) => Kind::MailBounced(mail(it)),
        Kind::MailComplained(it) => Kind::MailComplained(mail(it)),
        Kind::MailUnsubscribed(it) => Kind::MailUnsubscribed(mail(it)),
        Kind::MailResubscribed(it) => Kind::MailResubscribed(mail(it)),
        Kind::MailDropped(it) => Kind::MailDropped(mail(it)),
        Kind::ConversationOpened(it) => Kind::ConversationOpened(Box::new(Opened {
            state: it.state,
            assignee: it.assignee.clone(),
            team: it.team.clone(),
            ..Opened::default()
        })),
        Kind::ConversationStatus(it) => Kind::ConversationStatus(Status {
            from: it.from,
            to: it.to,
            snoozed_until: it.snoozed_until,
            ..Status::default()
        }),
        // Whom the business put in charge is no secret of the customer's.
        Kind::ConversationAssigned(it) => Kind::ConversationAssigned(Assigned {
            from: it.from.clone(),
            to: it.to.clone(),
            team: it.team.clone(),
            ..Assigned::default()
        }),
        Kind::ConversationHandover(it) => Kind::ConversationHandover(Box::new(Handover {
            from: it.from.clone(),
            to: it.to.clone(),
            reason: it.reason,
            accepted_at: it.accepted_at,
            accepted_by: it.accepted_by.as_ref().map(actor),
            ..Handover::default()
        })),
        Kind::ConversationMerged(it) => {
            Kind::ConversationMerged(Merged { into: name(&it.into), ..Merged::default() })
        }
        Kind::ConversationSplit(it) => {
            Kind::ConversationSplit(Split { into: name(&it.into), ..Split::default() })
        }
        Kind::ConversationLinked(it) => Kind::ConversationLinked(Linked {
            relation: it.relation,
            target: token(&it.target),
            other: Map::new(),
        }),
        Kind::ConversationSubject(_) => Kind::ConversationSubject(Changed::default()),
        Kind::ConversationPriority(_) => Kind::ConversationPriority(Changed::default()),
        Kind::ConversationTagged(_) => Kind::ConversationTagged(Tags::default()),
        Kind::ConversationUntagged(_) => Kind::ConversationUntagged(Tags::default()),
        Kind::ConversationSpam(_) => Kind::ConversationSpam(Removal::default()),
        Kind::ConversationDeleted(_) => Kind::ConversationDeleted(Removal::default()),
        Kind::ConversationRestored(_) => Kind::ConversationRestored(Removal::default()),
        Kind::SlaApplied(it) => Kind::SlaApplied(sla(it)),
        Kind::SlaWarned(it) => Kind::SlaWarned(sla(it)),
        Kind::SlaBreached(it) => Kind::SlaBreached(sla(it)),
        Kind::SlaMet(it) => Kind::SlaMet(sla(it)),
        Kind::CallbackPromised(it) => Kind::CallbackPromised(callback(it)),
        Kind::CallbackDone(it) => Kind::CallbackDone(callback(it)),
        Kind::FeedbackAsked(it) => Kind::FeedbackAsked(Asked {
            survey: it.survey,
            feedback: name(&it.feedback),
            scale: it.scale,
            about: name(&it.about),
            other: Map::new(),
        }),
        Kind::FeedbackAnswered(it) => Kind::FeedbackAnswered(Answered {
            survey: it.survey,
            feedback: name(&it.feedback),
            score: it.score,
            scale: it.scale,
            about: name(&it.about),
            ..Answered::default()
        }),
        Kind::FeedbackActed(it) => {
            Kind::FeedbackActed(Acted { feedback: name(&it.feedback), ..Acted::default() })
        }
        Kind::FeedbackClosed(it) => Kind::FeedbackClosed(LoopClosed {
            feedback: name(&it.feedback),
            told_customer: it.told_customer,
            other: Map::new(),
        }),
        Kind::IncidentOpened(it) => Kind::IncidentOpened(incident(it)),
        Kind::IncidentAffects(it) => Kind::IncidentAffects(incident(it)),
        Kind::IncidentResolved(it) => Kind::IncidentResolved(incident(it)),
        Kind::ProactiveSent(it) => Kind::ProactiveSent(incident(it)),
        Kind::PageViewed(_) => Kind::PageViewed(View::default()),
        Kind::ScreenViewed(_) => Kind::ScreenViewed(View::default()),
        Kind::CartUpdated(it) => Kind::CartUpdated(cart(it)),
        Kind::CartViewed(it) => Kind::CartViewed(cart(it)),
        Kind::CartAbandoned(it) => Kind::CartAbandoned(cart(it)),
        Kind::CheckoutStarted(it) => Kind::CheckoutStarted(checkout(it)),
        Kind::CheckoutCompleted(it) => Kind::CheckoutCompleted(checkout(it)),
        Kind::OrderPlaced(it) => Kind::OrderPlaced(order(it)),
        Kind::OrderUpdated(it) => Kind::OrderUpdated(order(it)),
        Kind::OrderPaid(it) => Kind::OrderPaid(order(it)),
        Kind::OrderFulfilled(it) => Kind::OrderFulfilled(order(it)),
        Kind::OrderCancelled(it) => Kind::OrderCancelled(order(it)),
        Kind::OrderRefunded(it) => Kind::OrderRefunded(Refund {
            order_id: token(&it.order_id),
            refund_id: name(&it.refund_id),
            currency: it.currency,
            amount: it.amount,
            lines: lines(&it.lines),
            ..Refund::default()
        }),
        Kind::IdentitySeen(_) => Kind::IdentitySeen(IdentityLink::default()),
        Kind::IdentityLinked(_) => Kind::IdentityLinked(IdentityLink::default()),
        Kind::IdentityUnlinked(_) => Kind::IdentityUnlinked(IdentityLink::default()),
        Kind::IdentityChanged(_) => Kind::IdentityChanged(IdentityChange::default()),
        Kind::ProfileUpdated(_) => Kind::ProfileUpdated(Box::default()),
        Kind::PeopleMerged(_) => Kind::PeopleMerged(People::default()),
        Kind::PeopleSplit(_) => Kind::PeopleSplit(People::default()),
        Kind::ConsentChanged(it) => Kind::ConsentChanged(Consent {
            purpose: told(&it.purpose),
            on: told(&it.on),
            state: it.state,
            ..Consent::default()
        }),
        Kind::Subscription { what, data } => Kind::Subscription {
            what: what.clone(),
            data: Subscription {
                subscription_id: token(&data.subscription_id),
                state: told(&data.state),
                currency: data.currency,
                price: data.price,
                renews_at: data.renews_at,
                ..Subscription::default()
            },
        },
        Kind::Custom { name, .. } => Kind::Custom { name: name.clone(), data: Map::new() },
        Kind::AppEvent(it) => {
            Kind::AppEvent(AppEvent { name: word_or_erased(&it.name), ..AppEvent::default() })
        }
        Kind::ConversationField(it) => Kind::ConversationField(FieldChanged {
            name: word_or_erased(&it.name),
            ..FieldChanged::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::{Assurance, Namespace, Role};

    #[test]
    fn what_is_named_freely_stays_as_what_happened_only() {
        let token = |name: &str| format!("erased/{}", name.len());
        for (kind, name, left) in [
            ("app.event", "video_played", "video_played"),
            ("app.event", "call Jan de Vries", "erased"),
            ("conversation.field", "plan", "plan"),
            ("conversation.field", "jan@example.nl", "erased"),
        ] {
            let json = format!(
                r#"{{"key": "k", "source": {{"system": "crm", "object": "call/jan de vries"}},
                    "kind": "{kind}", "occurred_at": "2026-03-02T08:00:00Z",
                    "data": {{"name": "{name}", "to": "secret", "more": "secret"}}}}"#
            );
            let event: Event = serde_json::from_str(&json).unwrap();
            let bare = event.anonymised(nobody(), &token).unwrap().to_json();
            assert_eq!(bare["data"], serde_json::json!({"name": left}), "{kind} {name}");
            assert!(!serde_json::to_string(&bare).unwrap().contains("vries"), "{bare:?}");
        }
    }

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

    /// What is left of an event of this kind, with this data, by an actor of this type.
    fn left(kind: &str, data: &str, actor: &str) -> Event {
        let event: Event = serde_json::from_str(&format!(
            r#"{{"key": "k", "source": {{"system": "s"}}, "occurred_at": "2026-03-02T08:00:00Z",
                "kind": "{kind}", "data": {data},
                "actor": {{"type": "{actor}", "id": "an id", "name": "a name"}}}}"#
        ))
        .unwrap();
        event.anonymised(nobody(), &str::to_owned).unwrap()
    }

    #[test]
    fn a_field_is_kept_only_on_the_kinds_that_have_it() {
        let data = r#"{"outcome": "secret", "state": {"a": "secret"}, "campaign": "secret", "to": "secret"}"#;
        for kind in ["custom.foo", "note", "page.viewed", "profile.updated", "conversation.tagged"]
        {
            assert_eq!(left(kind, data, "agent").kind.to_json(), Map::new(), "{kind}");
        }
    }

    #[test]
    fn a_state_in_words_of_its_system_is_kept_and_a_text_or_number_in_its_place_is_not() {
        for (payment, is_kept) in [
            ("partially_paid", true),
            ("by eva@example.nl", false),
            ("Eva paid", false),
            ("0612345678", false),
        ] {
            let data = format!(r#"{{"order_id": "1", "payment": "{payment}"}}"#);
            let kept = left("order.paid", &data, "system").kind.to_json().contains_key("payment");
            assert_eq!(kept, is_kept, "{payment}");
        }
    }

    #[test]
    fn only_the_people_and_systems_of_the_business_keep_their_names() {
        for actor in ["agent", "bot", "ai", "automation", "integration", "system"] {
            assert_eq!(left("note", "{}", actor).actor.name.as_deref(), Some("a name"), "{actor}");
        }
        for actor in ["customer", "contact", "third_party", "unknown"] {
            let actor = left("note", "{}", actor).actor;
            assert_eq!((actor.id, actor.name), (None, None), "{}", actor.kind.name());
        }
    }
}
