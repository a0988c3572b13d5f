//! The kinds of events: dotted names, a closed list for what cx understands, open for the rest.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::commerce::{Cart, Checkout, Order, Refund, Subscription};
use super::conversation::{
    Assigned, Changed, FieldChanged, Handover, Linked, Merged, Opened, Removal, Split, Status, Tags,
};
use super::feedback::{Acted, Answered, Asked, LoopClosed};
use super::fields::{FieldError, Writer, read_data};
use super::identity::{Consent, IdentityChange, IdentityLink, People, Profile};
use super::mail::MailEvent;
use super::proactive::Incident;
use super::promise::{Callback, Sla};
use super::talk::{Call, Correction, Meeting, Message, Note, Reaction, Receipt, Voicemail};
use super::web::{AppEvent, View};

/// What a kind is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KindGroup {
    /// Somebody says something to somebody.
    Talk,
    /// What became of a message.
    Correction,
    /// Whether a message arrived.
    Receipt,
    /// What became of an outbound mail.
    Mail,
    /// What happens to a conversation.
    Conversation,
    /// What was promised.
    Promise,
    /// What customers think.
    Feedback,
    /// Known problems.
    Proactive,
    /// What was looked at.
    Web,
    /// What is bought.
    Commerce,
    /// Who somebody is.
    Identity,
    /// Anything else.
    Custom,
}

/// How the data of a kind is held: `Data in Box` where it is much larger than that of most kinds,
/// which all would be as large as.
macro_rules! held {
    ($data:ty) => { $data };
    ($data:ty, $holder:ident) => { $holder<$data> };
}

macro_rules! kinds {
    ($(
        $(#[$doc:meta])*
        $variant:ident($data:ident $(in $holder:ident)?) = $name:literal, $group:ident;
    )*) => {
        /// What happened, with the fields that only such a thing has.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $variant(held!($data $(, $holder)?)),)*
            /// `subscription.*`.
            Subscription {
                /// What happened to it: `started`, `renewed`, `cancelled`.
                what: String,
                /// The subscription.
                data: Subscription,
            },
            /// `custom.*`, and every name that this version of cx does not know.
            Custom {
                /// The whole name.
                name: String,
                /// The data, verbatim.
                data: Map<String, Value>,
            },
        }

        impl Kind {
            /// The names of all kinds that cx understands; `subscription.*` is a family beside.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The dotted name.
            pub fn name(&self) -> Cow<'_, str> {
                match self {
                    $(Self::$variant(_) => $name.into(),)*
                    Self::Subscription { what, .. } => format!("subscription.{what}").into(),
                    Self::Custom { name, .. } => name.as_str().into(),
                }
            }

            /// What the kind is about.
            pub const fn group(&self) -> KindGroup {
                match self {
                    $(Self::$variant(_) => KindGroup::$group,)*
                    Self::Subscription { .. } => KindGroup::Commerce,
                    Self::Custom { .. } => KindGroup::Custom,
                }
            }

            /// The kind of that name with its data as a JSON object.
            ///
            /// # Errors
            /// The place and the problem of the first field that is missing or malformed.
            pub fn from_json(name: &str, data: Map<String, Value>) -> Result<Self, FieldError> {
                Ok(match name {
                    $($name => Self::$variant($data::from_json(data)?.into()),)*
                    _ => match name.strip_prefix("subscription.") {
                        Some(what) => Self::Subscription {
                            what: what.to_owned(),
                            data: Subscription::from_json(data)?,
                        },
                        None => Self::Custom { name: name.to_owned(), data },
                    },
                })
            }

            /// The kind of that name with its data as a text: what [`Kind::from_json`] gives, or an
            /// error where that may find another, or none.
            pub(crate) fn read(
                name: &str,
                data: Option<&RawValue>,
            ) -> Result<Self, serde_json::Error> {
                Ok(match name {
                    $($name => Self::$variant(read_data::<$data>(data)?.into()),)*
                    _ => match name.strip_prefix("subscription.") {
                        Some(what) => {
                            Self::Subscription { what: what.to_owned(), data: read_data(data)? }
                        }
                        None => {
                            let data = data.map_or("{}", RawValue::get);
                            let data = serde_json::from_str(data)?;
                            Self::Custom { name: name.to_owned(), data }
                        }
                    },
                })
            }

            /// The data as a JSON object; empty fields are left out.
            pub fn to_json(&self) -> Map<String, Value> {
                match self {
                    $(Self::$variant(data) => data.to_json(),)*
                    Self::Subscription { data, .. } => data.to_json(),
                    Self::Custom { data, .. } => data.clone(),
                }
            }

            pub(super) fn put(&self, writer: &mut Writer<'_>) {
                match self {
                    $(Self::$variant(data) => data.put(writer),)*
                    Self::Subscription { data, .. } => data.put(writer),
                    Self::Custom { data, .. } => writer.all(data),
                }
            }
        }
    };
}

kinds! {
    /// Something written to somebody.
    Message(Message) = "message", Talk;
    /// Something written for colleagues.
    Note(Note) = "note", Talk;
    /// A call.
    Call(Call) = "call", Talk;
    /// A spoken message.
    Voicemail(Voicemail) = "voicemail", Talk;
    /// An appointment.
    Meeting(Meeting) = "meeting", Talk;
    /// An emoji put to a message.
    Reaction(Reaction) = "reaction", Talk;
    /// A message was changed.
    MessageEdited(Correction) = "message.edited", Correction;
    /// A message's text was taken out.
    MessageRedacted(Correction) = "message.redacted", Correction;
    /// A message was deleted.
    MessageDeleted(Correction) = "message.deleted", Correction;
    /// A message left us.
    MessageSent(Receipt) = "message.sent", Receipt;
    /// A message arrived.
    MessageDelivered(Receipt) = "message.delivered", Receipt;
    /// A message was read.
    MessageRead(Receipt) = "message.read", Receipt;
    /// A message did not arrive.
    MessageFailed(Receipt) = "message.failed", Receipt;
    /// A mail is to be sent.
    MailQueued(MailEvent) = "mail.queued", Mail;
    /// A mail will be tried again.
    MailDeferred(MailEvent) = "mail.deferred", Mail;
    /// A mail arrived.
    MailDelivered(MailEvent) = "mail.delivered", Mail;
    /// A mail was opened.
    MailOpened(MailEvent) = "mail.opened", Mail;
    /// A link in a mail was clicked.
    MailClicked(MailEvent) = "mail.clicked", Mail;
    /// A mail came back.
    MailBounced(MailEvent) = "mail.bounced", Mail;
    /// A mail was called spam.
    MailComplained(MailEvent) = "mail.complained", Mail;
    /// Somebody wants no more such mail.
    MailUnsubscribed(MailEvent) = "mail.unsubscribed", Mail;
    /// Somebody wants such mail again.
    MailResubscribed(MailEvent) = "mail.resubscribed", Mail;
    /// A mail was never sent.
    MailDropped(MailEvent) = "mail.dropped", Mail;
    /// A conversation began.
    ConversationOpened(Opened in Box) = "conversation.opened", Conversation;
    /// A conversation's state changed.
    ConversationStatus(Status) = "conversation.status", Conversation;
    /// A conversation has another owner.
    ConversationAssigned(Assigned) = "conversation.assigned", Conversation;
    /// A conversation went from one hand to another, with what is known.
    ConversationHandover(Handover in Box) = "conversation.handover", Conversation;
    /// A conversation lives on in another.
    ConversationMerged(Merged) = "conversation.merged", Conversation;
    /// Part of a conversation goes on in another.
    ConversationSplit(Split) = "conversation.split", Conversation;
    /// Two conversations hang together.
    ConversationLinked(Linked) = "conversation.linked", Conversation;
    /// A conversation has another subject.
    ConversationSubject(Changed) = "conversation.subject", Conversation;
    /// A conversation has another priority.
    ConversationPriority(Changed) = "conversation.priority", Conversation;
    /// Tags were put.
    ConversationTagged(Tags) = "conversation.tagged", Conversation;
    /// Tags were taken.
    ConversationUntagged(Tags) = "conversation.untagged", Conversation;
    /// A custom field changed.
    ConversationField(FieldChanged) = "conversation.field", Conversation;
    /// A conversation is unwanted.
    ConversationSpam(Removal) = "conversation.spam", Conversation;
    /// A conversation was deleted.
    ConversationDeleted(Removal) = "conversation.deleted", Conversation;
    /// A conversation is back.
    ConversationRestored(Removal) = "conversation.restored", Conversation;
    /// A service level applies.
    SlaApplied(Sla) = "sla.applied", Promise;
    /// A service level is near its end.
    SlaWarned(Sla) = "sla.warned", Promise;
    /// A service level was missed.
    SlaBreached(Sla) = "sla.breached", Promise;
    /// A service level was kept.
    SlaMet(Sla) = "sla.met", Promise;
    /// A call back was promised.
    CallbackPromised(Callback) = "callback.promised", Promise;
    /// A promised call was made.
    CallbackDone(Callback) = "callback.done", Promise;
    /// Somebody was asked what they think.
    FeedbackAsked(Asked) = "feedback.asked", Feedback;
    /// Somebody said what they think.
    FeedbackAnswered(Answered) = "feedback.answered", Feedback;
    /// Something was done about it.
    FeedbackActed(Acted) = "feedback.acted", Feedback;
    /// The loop is closed.
    FeedbackClosed(LoopClosed) = "feedback.closed", Feedback;
    /// A problem became known.
    IncidentOpened(Incident) = "incident.opened", Proactive;
    /// A problem touches this person.
    IncidentAffects(Incident) = "incident.affects", Proactive;
    /// A problem is over.
    IncidentResolved(Incident) = "incident.resolved", Proactive;
    /// A person was told of a problem unasked.
    ProactiveSent(Incident) = "proactive.sent", Proactive;
    /// A page was looked at.
    PageViewed(View) = "page.viewed", Web;
    /// A screen was looked at.
    ScreenViewed(View) = "screen.viewed", Web;
    /// Something was done in an app or on a site.
    AppEvent(AppEvent) = "app.event", Web;
    /// A cart has new contents.
    CartUpdated(Cart) = "cart.updated", Commerce;
    /// A cart was looked at.
    CartViewed(Cart) = "cart.viewed", Commerce;
    /// A cart was left.
    CartAbandoned(Cart) = "cart.abandoned", Commerce;
    /// A checkout began.
    CheckoutStarted(Checkout) = "checkout.started", Commerce;
    /// A checkout became an order.
    CheckoutCompleted(Checkout) = "checkout.completed", Commerce;
    /// An order was placed.
    OrderPlaced(Order in Box) = "order.placed", Commerce;
    /// An order changed.
    OrderUpdated(Order in Box) = "order.updated", Commerce;
    /// An order was paid.
    OrderPaid(Order in Box) = "order.paid", Commerce;
    /// An order, or part of it, was sent.
    OrderFulfilled(Order in Box) = "order.fulfilled", Commerce;
    /// An order was called off.
    OrderCancelled(Order in Box) = "order.cancelled", Commerce;
    /// Money was given back.
    OrderRefunded(Refund) = "order.refunded", Commerce;
    /// An identifier was seen.
    IdentitySeen(IdentityLink) = "identity.seen", Identity;
    /// Identifiers belong together.
    IdentityLinked(IdentityLink) = "identity.linked", Identity;
    /// An identifier belongs there no longer.
    IdentityUnlinked(IdentityLink) = "identity.unlinked", Identity;
    /// One identifier was replaced by another.
    IdentityChanged(IdentityChange) = "identity.changed", Identity;
    /// What a source has on record changed.
    ProfileUpdated(Profile in Box) = "profile.updated", Identity;
    /// A source merged two of its records.
    PeopleMerged(People) = "people.merged", Identity;
    /// A source split one of its records.
    PeopleSplit(People) = "people.split", Identity;
    /// Somebody agreed to something, or no longer does.
    ConsentChanged(Consent) = "consent.changed", Identity;
}

impl Kind {
    /// Whether somebody says something to somebody: a message, a call, a voicemail or a meeting.
    /// Notes and reactions are not talk in this sense: they wait for no answer.
    pub const fn is_talk(&self) -> bool {
        matches!(self, Self::Message(_) | Self::Call(_) | Self::Voicemail(_) | Self::Meeting(_))
    }
}
