//! Promises: service levels and calls to be made.

use super::fields::data;
use crate::time::Timestamp;

data! {
    /// `sla.applied`, `sla.warned`, `sla.breached`, `sla.met`.
    Sla {
        /// What is promised: `first_response`, `resolution`.
        metric: String,
        /// By when.
        due_at: Option<Timestamp>,
        /// The policy that promises it.
        policy: Option<String>,
    }

    /// `callback.promised`, `callback.done`.
    Callback {
        /// What is promised, in words.
        text: Option<String>,
        /// By when.
        due_at: Option<Timestamp>,
        /// What makes promise and fulfilment one, where there are several.
        callback: Option<String>,
    }
}
