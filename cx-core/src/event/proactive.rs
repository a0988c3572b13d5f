//! Proactive service: known problems and what was said about them unasked.

use super::fields::data;

data! {
    /// `incident.opened`, `incident.affects`, `incident.resolved`, `proactive.sent`.
    Incident {
        /// The incident's id.
        incident: String,
        /// What is wrong, in words.
        title: Option<String>,
        /// What customers can do meanwhile.
        workaround: Option<String>,
        /// Where the text stands that customers are told.
        text_ref: Option<String>,
    }
}
