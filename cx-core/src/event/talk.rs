//! Talk: messages, notes, calls and the corrections and receipts that point at them.

use serde::{Deserialize, Serialize};

use super::fields::data;
use crate::time::{Micros, Timestamp};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum CallOutcome {
    /// Somebody picked up.
    Answered,
    /// Nobody picked up.
    Missed,
    /// The line was taken.
    Busy,
    /// The network could not connect it.
    Failed,
    /// A recording took the call.
    Voicemail,
    /// The caller hung up before anybody picked up.
    Abandoned,
}

data! {
    /// `message`: something written to somebody.
    Message {
        /// The id under which others refer to it, such as a mail's `Message-ID`.
        message_id: Option<String>,
        /// Its subject line.
        subject: Option<String>,
        /// The campaign or template it was sent by.
        campaign: Option<String>,
    }

    /// `note`: something written for colleagues.
    Note {}

    /// `call`: a telephone or internet call.
    Call {
        /// When it rang.
        started_at: Option<Timestamp>,
        /// When somebody picked up.
        answered_at: Option<Timestamp>,
        /// When it ended.
        ended_at: Option<Timestamp>,
        /// How long it was, in seconds.
        duration_s: Option<u64>,
        /// How it ended; `None` while it goes on.
        outcome: Option<CallOutcome>,
        /// Where the recording is.
        recording_ref: Option<String>,
        /// Where the transcript is.
        transcript_ref: Option<String>,
    }

    /// `voicemail`: a spoken message.
    Voicemail {
        /// How long it is, in seconds.
        duration_s: Option<u64>,
        /// Where the recording is.
        recording_ref: Option<String>,
        /// Where the transcript is.
        transcript_ref: Option<String>,
    }

    /// `meeting`: an appointment in person or by video.
    Meeting {
        /// When it began.
        started_at: Option<Timestamp>,
        /// When it ended.
        ended_at: Option<Timestamp>,
        /// Where it took place.
        place: Option<String>,
    }

    /// `reaction`: an emoji put to a message.
    Reaction {
        /// The message it is put to.
        target: String,
        /// The emoji; `None` where it was taken back.
        emoji: Option<String>,
    }

    /// `message.edited`, `message.redacted`, `message.deleted`: what became of a message.
    Correction {
        /// The key of the event or the id of the message that is corrected.
        target: String,
    }

    /// `message.sent`, `message.delivered`, `message.read`, `message.failed`.
    Receipt {
        /// The key of the event or the id of the message that the receipt is for.
        target: String,
        /// Why it failed.
        reason: Option<String>,
        /// The error code of the channel.
        code: Option<String>,
    }
}

impl Call {
    /// Whether somebody picked up.
    pub fn was_taken(&self) -> bool {
        match self.outcome {
            Some(outcome) => outcome == CallOutcome::Answered,
            None => self.answered_at.is_some(),
        }
    }

    /// Whether somebody picked up and it is over: its outcome, its end or its length was told.
    pub fn is_over(&self) -> bool {
        let was_told =
            self.outcome.is_some() || self.ended_at.is_some() || self.duration_s.is_some();
        self.was_taken() && was_told
    }

    /// When somebody picked up: when it happened, where that is not told.
    pub fn picked_up(&self, occurred_at: Timestamp) -> Timestamp {
        self.answered_at.unwrap_or(occurred_at)
    }

    /// How long people talked, in seconds; `None` where nobody picked up, or nobody told.
    pub fn talked_s(&self, occurred_at: Timestamp) -> Option<u64> {
        let told = || {
            let talked = self.ended_at?.since(self.picked_up(occurred_at));
            u64::try_from(talked.as_seconds()).ok()
        };
        if self.was_taken() { self.duration_s.or_else(told) } else { None }
    }

    /// When it ended, as far as is told: not before the event happened.
    pub fn end(&self, occurred_at: Timestamp) -> Timestamp {
        let length = self.duration_s.and_then(|seconds| i64::try_from(seconds).ok());
        let talked =
            length.map(|seconds| self.picked_up(occurred_at) + Micros::SECOND.times(seconds));
        self.ended_at.or(talked).unwrap_or(occurred_at).max(occurred_at)
    }
}
