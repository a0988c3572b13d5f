//! The states of a conversation and the ways between them.

use crate::event::conversation::State;

/// Who keeps the state of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lifecycle {
    /// cx does: a way that is not in the table is refused.
    Own,
    /// The source does: every way is taken, and unusual ones are noted.
    Mirror,
}

/// A way that is not in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a conversation does not go from {} to {}", from.name(), to.name())]
pub struct IllegalTransition {
    /// The state it is in.
    pub from: State,
    /// The state it was to go to.
    pub to: State,
}

/// The states that a state leads to, as in the table of `docs/model.md`.
pub const fn ways(from: State) -> &'static [State] {
    use State::{
        Bot, Closed, Deleted, Merged, New, Open, Resolved, Snoozed, Spam, WaitingCustomer,
        WaitingThird,
    };
    match from {
        New => &[Bot, Open, WaitingCustomer, Snoozed, Resolved, Merged, Spam, Deleted],
        Bot => &[Open, WaitingCustomer, Resolved, Snoozed, Merged, Spam, Deleted],
        Open => &[Bot, WaitingCustomer, WaitingThird, Snoozed, Resolved, Merged, Spam, Deleted],
        WaitingCustomer => &[Open, Bot, WaitingThird, Snoozed, Resolved, Merged, Spam, Deleted],
        WaitingThird => &[Open, WaitingCustomer, Snoozed, Resolved, Merged, Spam, Deleted],
        Snoozed => &[Open, Resolved, Merged, Spam, Deleted],
        Resolved => &[Open, Bot, Closed, Merged, Spam, Deleted],
        Closed => &[Deleted],
        Merged => &[Open],
        // Restored: the state before, whichever it was.
        Spam | Deleted => {
            &[New, Bot, Open, WaitingCustomer, WaitingThird, Snoozed, Resolved, Closed, Merged]
        }
    }
}

/// Whether there is a way from one state to another. Staying is always possible.
///
/// # Errors
/// [`IllegalTransition`] where there is none.
pub fn check(from: State, to: State) -> Result<(), IllegalTransition> {
    if from == to || ways(from).contains(&to) {
        Ok(())
    } else {
        Err(IllegalTransition { from, to })
    }
}
