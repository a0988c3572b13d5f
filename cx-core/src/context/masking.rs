//! Masking for models: every text of the finished answer is looked at, so that a field is masked
//! unless it is named here.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::blocks::Context;
use super::facts::{Audience, Confidence, IdentifierFact};
use super::person::{masked_key, masked_text};
use crate::conversation::WaitingOn;
use crate::event::conversation::{HandoverReason, State, StateCategory};
use crate::event::feedback::{Scale, Survey};
use crate::event::identity::ConsentState;
use crate::event::talk::CallOutcome;
use crate::feedback::LoopState;
use crate::identifier::Assurance;
use crate::journey::{StepSummary, Summary};
use crate::profile::Basis;

/// Where a text stands: the block and the field.
pub(super) type Place = (&'static str, &'static str);

/// What people wrote to each other, and the numbers of goods.
const AS_WRITTEN: &[Place] = &[
    ("Said", "text"),
    ("Contact", "text"),
    ("OpenMatter", "subject"),
    ("Mail", "subject"),
    ("RatingBlock", "comment"),
    ("RatingBlock", "reason"),
    ("LineBlock", "sku"),
];

/// Fields in which ids and keys stand: of these only what the customer is recognised by is masked.
const KEYS: &[&str] = &["about", "conversation", "event", "id", "key", "r#ref"];

/// Something in which texts stand.
pub(super) trait Texts {
    /// Shows each text with the place at which it stands.
    fn each(&mut self, place: Place, show: &mut dyn FnMut(Place, &mut String));
}

impl Context {
    /// Shows each text of the answer, as it stands there, to be changed.
    pub fn each_text(&mut self, show: &mut dyn FnMut(&mut String)) {
        self.each(("Context", ""), &mut |_, text| show(text));
    }

    /// Takes out who else there is, and why: what is nobody's business but that of agents.
    pub fn leave_out_others(&mut self) {
        self.r#match.others.clear();
        self.r#match.reasons.clear();
        self.alerts.retain(|alert| {
            !matches!(
                alert.kind.as_str(),
                "shared_identifier" | "possible_duplicate" | "look_alike"
            )
        });
    }
}

/// Masks addresses, numbers and what the customer is recognised by.
pub(super) fn mask(context: &mut Context, own: &[IdentifierFact]) {
    context.each(("Context", ""), &mut |place, text| {
        if AS_WRITTEN.contains(&place) {
            return;
        }
        *text = if KEYS.contains(&place.1) {
            masked_key(text, own)
        } else if text.contains("://") || text.starts_with('/') {
            masked_url(text, own)
        } else {
            masked_text(text, own)
        };
    });
}

/// An address on the web, part by part: in links of resets and newsletters addresses and numbers
/// stand.
fn masked_url(url: &str, own: &[IdentifierFact]) -> String {
    let parts = url.split_inclusive(['/', '?', '&', '=', '#', ';', ',']);
    let part = |part: &str| {
        let plain = part.replace("%40", "@").replace("%2B", "+").replace("%2b", "+");
        let masked = masked_text(&plain, own);
        if masked == plain { part.to_owned() } else { masked }
    };
    masked_key(&parts.map(part).collect::<String>(), own)
}

impl Texts for String {
    fn each(&mut self, place: Place, show: &mut dyn FnMut(Place, &mut String)) {
        show(place, self);
    }
}

impl<T: Texts> Texts for Option<T> {
    fn each(&mut self, place: Place, show: &mut dyn FnMut(Place, &mut String)) {
        for it in self.iter_mut() {
            it.each(place, show);
        }
    }
}

impl<T: Texts> Texts for Vec<T> {
    fn each(&mut self, place: Place, show: &mut dyn FnMut(Place, &mut String)) {
        for it in self.iter_mut() {
            it.each(place, show);
        }
    }
}

impl<T: Texts> Texts for BTreeMap<String, T> {
    fn each(&mut self, place: Place, show: &mut dyn FnMut(Place, &mut String)) {
        for it in self.values_mut() {
            it.each(place, show);
        }
    }
}

impl Texts for Value {
    fn each(&mut self, place: Place, show: &mut dyn FnMut(Place, &mut String)) {
        match self {
            Self::String(text) => show(place, text),
            Self::Array(values) => {
                for it in values {
                    it.each(place, show);
                }
            }
            Self::Object(parts) => {
                for (mut name, mut value) in std::mem::take(parts) {
                    show(place, &mut name);
                    value.each(place, show);
                    insert_beside(parts, &name, value);
                }
            }
            Self::Null | Self::Bool(_) | Self::Number(_) => {}
        }
    }
}

/// Inserts a value under a name, or under the next one like it: two names may be one now.
pub(super) fn insert_beside(parts: &mut Map<String, Value>, name: &str, value: Value) {
    let (mut free, mut n) = (name.to_owned(), 1_usize);
    while parts.contains_key(&free) {
        n += 1;
        free = format!("{name} {n}");
    }
    parts.insert(free, value);
}

impl Texts for Summary {
    fn each(&mut self, _: Place, show: &mut dyn FnMut(Place, &mut String)) {
        self.key.each(("Summary", "key"), show);
        self.last_step.each(("Summary", "last_step"), show);
    }
}

impl Texts for StepSummary {
    fn each(&mut self, _: Place, show: &mut dyn FnMut(Place, &mut String)) {
        self.event.each(("StepSummary", "event"), show);
    }
}

macro_rules! no_text {
    ($($type:ty),* $(,)?) => {
        $(
            impl Texts for $type {
                fn each(&mut self, _: Place, _: &mut dyn FnMut(Place, &mut String)) {}
            }
        )*
    };
}

no_text!(
    bool,
    i32,
    u32,
    u64,
    Assurance,
    Audience,
    Basis,
    CallOutcome,
    Confidence,
    ConsentState,
    HandoverReason,
    LoopState,
    Scale,
    State,
    StateCategory,
    Survey,
    WaitingOn,
);
