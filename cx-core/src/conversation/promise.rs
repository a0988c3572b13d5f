//! Promises: service levels and promised calls, and what keeps them.

use crate::event::promise::{Callback, Sla};
use crate::time::Timestamp;

/// A promise that is not kept yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// What is promised: a metric of a service level, or the words of a promised call.
    pub what: String,
    /// Whether it is a call; else it is a service level.
    pub is_call: bool,
    /// What tells it from others alike: the id of a promised call, the policy of a service level.
    pub id: Option<String>,
    /// When it was promised.
    pub promised_at: Timestamp,
    /// By when.
    pub due_at: Option<Timestamp>,
    /// Who promised it.
    pub by: Option<String>,
    /// Whether the source says that it was not kept in time.
    pub is_breached: bool,
}

impl Promise {
    /// Whether it was not kept in time: the source says so, or the time is over by then.
    pub fn is_breached_by(&self, as_of: Timestamp) -> bool {
        self.is_breached || self.due_at.is_some_and(|at| at < as_of)
    }
}

/// A call that was made keeps the promise that it names by its id; else those without one of
/// the same words; else, where one of both says neither, the first that was made. Gives whether it
/// keeps one; none is kept before it was made.
pub(super) fn keep_call(promises: &mut Vec<Promise>, call: &Callback, at: Timestamp) -> bool {
    let is_named =
        |promise: &Promise| promise.is_call && promise.id.is_some() && promise.id == call.callback;
    // Two ids are two promises.
    let may_be = |promise: &Promise| {
        let is_later = promise.promised_at > at;
        promise.is_call && !is_later && (promise.id.is_none() || call.callback.is_none())
    };
    let text = call.text.as_deref();
    let says_so = |promise: &Promise| may_be(promise) && Some(promise.what.as_str()) == text;
    let is_unsaid =
        |promise: &Promise| may_be(promise) && (text.is_none() || promise.what == CALL_BACK);
    let n = promises.len();
    if promises.iter().any(is_named) {
        promises.retain(|promise| !is_named(promise));
    } else if promises.iter().any(says_so) {
        promises.retain(|promise| !says_so(promise));
    } else if let Some(first) = promises.iter().position(is_unsaid) {
        promises.remove(first);
    }
    promises.len() < n
}

/// What a promised call is called of which no words are told.
pub(super) const CALL_BACK: &str = "call back";

/// Whether a promise is the service level that an event speaks of. One without a policy may be that
/// of any.
pub(super) fn is_level(promise: &Promise, sla: &Sla) -> bool {
    !promise.is_call
        && promise.what == sla.metric
        && (promise.id.is_none() || sla.policy.is_none() || promise.id == sla.policy)
}
