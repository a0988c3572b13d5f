//! Chatwoot's words for channels, states, senders and kinds of messages, and ours for the same.

use cx_core::actor::ActorType;
use cx_core::channel::Channel;
use cx_core::event::conversation::State;

use crate::json::Object;

/// The channel of an inbox: `Channel::WebWidget`, `Channel::Email`.
pub(super) fn channel(class: &str, medium: Option<&str>) -> Channel {
    match class.rsplit("::").next().unwrap_or(class).to_ascii_lowercase().as_str() {
        "webwidget" => Channel::Chat,
        "email" => Channel::Email,
        "whatsapp" => Channel::Whatsapp,
        "twiliosms" if medium == Some("whatsapp") => Channel::Whatsapp,
        "twiliosms" | "sms" => Channel::Sms,
        "api" => Channel::Api,
        "facebookpage" => Channel::Messenger,
        "instagram" => Channel::Instagram,
        "telegram" => Channel::Telegram,
        "line" => Channel::Line,
        "twitterprofile" => Channel::X,
        "voice" => Channel::Phone,
        other => Channel::from_name(&format!("other:{other}")),
    }
}

/// The state that a status means.
pub(super) fn state(status: &str) -> State {
    match status.trim().to_ascii_lowercase().as_str() {
        "pending" => State::Bot,
        "resolved" => State::Resolved,
        "snoozed" => State::Snoozed,
        _ => State::Open,
    }
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageType {
    /// From the customer.
    Incoming,
    /// To the customer.
    Outgoing,
    /// A line that tells what happened.
    Activity,
    /// Sent by a rule.
    Template,
}

/// The type of a message, written as a word or as a number.
pub(super) fn message_type(message: &Object<'_>) -> Option<MessageType> {
    Some(match message.text("message_type")?.to_ascii_lowercase().as_str() {
        "0" | "incoming" => MessageType::Incoming,
        "1" | "outgoing" => MessageType::Outgoing,
        "2" | "activity" => MessageType::Activity,
        "3" | "template" => MessageType::Template,
        _ => return None,
    })
}

/// Who sent something, by the class or type of the sender.
pub(super) fn sender(class: &str) -> Option<ActorType> {
    match class.to_ascii_lowercase().replace('_', "").as_str() {
        "user" | "agent" => Some(ActorType::Agent),
        "agentbot" | "bot" => Some(ActorType::Bot),
        "contact" => Some(ActorType::Customer),
        class if class.starts_with("captain") => Some(ActorType::Ai),
        _ => None,
    }
}
