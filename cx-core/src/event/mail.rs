//! Mail engagement: what became of an outbound mail.

use serde::{Deserialize, Serialize};

use super::fields::{data, defaulted_fields};

/// Whether a program and not a person opened or clicked.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Machine {
    /// The source says that a program did.
    Yes,
    /// The source says that a person did.
    No,
    /// The source does not say.
    #[default]
    Unknown,
}

/// What kind of bounce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounce {
    /// For good: there is no such mailbox.
    Hard,
    /// For now: the mailbox is full or the server away.
    Soft,
    /// Refused by policy.
    Blocked,
}

defaulted_fields!(Machine);

data! {
    /// `mail.queued`, `mail.deferred`, `mail.delivered`, `mail.opened`, `mail.clicked`,
    /// `mail.bounced`, `mail.complained`, `mail.unsubscribed`, `mail.resubscribed`,
    /// `mail.dropped`.
    MailEvent {
        /// The mail it is about: its `Message-ID` where there is one.
        mail_id: Option<String>,
        /// What the service that sends it calls the mail, where that is another name. Some of what a
        /// service tells has only this one.
        service_id: Option<String>,
        /// The subject line of the mail.
        subject: Option<String>,
        /// The campaign it was sent by.
        campaign: Option<String>,
        /// The link that was clicked.
        url: Option<String>,
        /// Whether a program opened or clicked.
        machine: Machine,
        /// Why `machine` might be `yes`, where the source does not say so: a hint, never a fact.
        machine_hint: Option<String>,
        /// What kind of bounce.
        bounce: Option<Bounce>,
        /// What the other server said.
        reason: Option<String>,
    }
}
