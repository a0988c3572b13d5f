//! Zendesk's words for channels, states and roles, and ours for the same.

use cx_core::actor::ActorType;
use cx_core::channel::Channel;
use cx_core::event::Direction;
use cx_core::event::conversation::State;

/// The channel that `via.channel` names.
pub(super) fn channel(via: &str) -> Channel {
    match via.trim().to_ascii_lowercase().as_str() {
        "email" | "mail" | "4" => Channel::Email,
        "0" | "web" | "web_form" | "web_widget" | "help_center" | "helpcenter"
        | "closed_ticket" => Channel::Web,
        "chat" | "native_messaging" | "messaging" | "online_dropbox" | "chat_transcript" => {
            Channel::Chat
        }
        "voice"
        | "phone_call_inbound"
        | "phone_call_outbound"
        | "voicemail"
        | "phone"
        | "44"
        | "45"
        | "46" => Channel::Phone,
        "sms" | "text" => Channel::Sms,
        "whatsapp" => Channel::Whatsapp,
        "line" => Channel::Line,
        "telegram" => Channel::Telegram,
        "wechat" => Channel::Wechat,
        "viber" => Channel::Viber,
        "apple" | "apple_business_chat" => Channel::AppleMessages,
        "instagram_dm" | "instagram" => Channel::Instagram,
        "mobile_sdk" | "mobile" | "sdk" => Channel::App,
        "api" | "web_service" | "5" => Channel::Api,
        "rule" | "system" | "8" => Channel::System,
        other if other.starts_with("twitter") || other == "x_corp_dm" => Channel::X,
        other if other.starts_with("facebook") => Channel::Messenger,
        other => Channel::from_name(&format!("other:{other}")),
    }
}

/// The state that a status means. A status that the account made up counts as open.
pub(super) fn state(status: &str) -> State {
    match status.trim().to_ascii_lowercase().as_str() {
        "new" => State::New,
        "pending" => State::WaitingCustomer,
        "hold" | "on-hold" | "on_hold" => State::WaitingThird,
        "solved" => State::Resolved,
        "closed" => State::Closed,
        "deleted" => State::Deleted,
        _ => State::Open,
    }
}

/// What a user's role makes of them.
pub(super) fn role(role: &str) -> ActorType {
    match role.trim().to_ascii_lowercase().replace('_', "-").as_str() {
        "end-user" => ActorType::Customer,
        _ => ActorType::Agent,
    }
}

/// Which way something went that this actor did for the customer to see.
pub(super) const fn direction(actor: ActorType) -> Direction {
    match actor {
        ActorType::Customer | ActorType::Contact => Direction::In,
        ActorType::Unknown => Direction::None,
        ActorType::Agent
        | ActorType::Bot
        | ActorType::Ai
        | ActorType::Automation
        | ActorType::Integration
        | ActorType::System
        | ActorType::ThirdParty => Direction::Out,
    }
}
