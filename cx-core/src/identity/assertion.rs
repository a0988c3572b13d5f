//! Assertions: what people say about who is who. Facts like any other, and never deleted.

use std::fmt;

use crate::identifier::Identifier;
use crate::ids::{AssertionId, ObservationId, domain, hash16};
use crate::time::Timestamp;

/// What an assertion is about: an observation or an identifier, never a customer. A customer is
/// named by its anchor observation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// One observation.
    Observation(ObservationId),
    /// Everybody who holds an identifier.
    Identifier(Identifier),
}

impl Subject {
    /// The identifier, if it is one.
    pub const fn identifier(&self) -> Option<&Identifier> {
        match self {
            Self::Identifier(identifier) => Some(identifier),
            Self::Observation(_) => None,
        }
    }

    /// The observation, if it is one.
    pub const fn observation(&self) -> Option<ObservationId> {
        match self {
            Self::Observation(observation) => Some(*observation),
            Self::Identifier(_) => None,
        }
    }

    fn text(&self, written: &dyn Fn(&Identifier) -> String) -> String {
        match self {
            Self::Observation(id) => id.to_string(),
            Self::Identifier(identifier) => written(identifier),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(&Identifier::to_string))
    }
}

/// What is asserted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Both are one person.
    Same(Subject, Subject),
    /// They are two persons, now and for ever, or until this is revoked.
    Different(Subject, Subject),
    /// This observation does not belong to the holder of the identifier.
    Detach(ObservationId, Identifier),
    /// This identifier links nobody.
    Block(Identifier),
    /// This identifier is one person's, however many names were seen with it.
    Trust(Identifier),
    /// Who held the first holds the second now, such as a new number.
    Rekey(Identifier, Identifier),
    /// Another assertion holds no longer.
    Revoke(AssertionId),
    /// A model takes both for one person; with what weight, in thousandths of a bit. It joins after
    /// everything else, the heaviest first, and gives way to all.
    Probable(ObservationId, ObservationId, i32),
}

impl Verdict {
    /// The name as it stands in JSON and SQL.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Same(..) => "same",
            Self::Different(..) => "different",
            Self::Detach(..) => "detach",
            Self::Block(_) => "block",
            Self::Trust(_) => "trust",
            Self::Rekey(..) => "rekey",
            Self::Revoke(_) => "revoke",
            Self::Probable(..) => "probable",
        }
    }

    /// The observations it names.
    pub fn observations(&self) -> impl Iterator<Item = ObservationId> + use<> {
        let named = match self {
            Self::Same(a, b) | Self::Different(a, b) => [a.observation(), b.observation()],
            Self::Detach(observation, _) => [Some(*observation), None],
            Self::Probable(a, b, _) => [Some(*a), Some(*b)],
            Self::Block(_) | Self::Trust(_) | Self::Rekey(..) | Self::Revoke(_) => [None, None],
        };
        named.into_iter().flatten()
    }

    /// The identifiers it names.
    pub fn identifiers(&self) -> Vec<&Identifier> {
        match self {
            Self::Same(a, b) | Self::Different(a, b) => {
                [a, b].into_iter().filter_map(Subject::identifier).collect()
            }
            Self::Detach(_, identifier) | Self::Block(identifier) | Self::Trust(identifier) => {
                vec![identifier]
            }
            Self::Rekey(from, to) => vec![from, to],
            Self::Revoke(_) | Self::Probable(..) => Vec::new(),
        }
    }

    /// The two sides of what makes one of two: `Same`, `Rekey` and `Probable`.
    pub fn joins(&self) -> Option<(Subject, Subject)> {
        match self {
            Self::Same(a, b) => Some((a.clone(), b.clone())),
            Self::Rekey(from, to) => {
                Some((Subject::Identifier(from.clone()), Subject::Identifier(to.clone())))
            }
            Self::Probable(a, b, _) => Some((Subject::Observation(*a), Subject::Observation(*b))),
            Self::Different(..)
            | Self::Detach(..)
            | Self::Block(_)
            | Self::Trust(_)
            | Self::Revoke(_) => None,
        }
    }

    /// The two sides as text; the second is empty where there is only one. The sides of `Same`,
    /// `Different` and `Probable` come in order, and the weight behind them.
    pub fn sides(&self) -> (String, String) {
        self.sides_with(&Identifier::to_string)
    }

    /// The same with identifiers written in another way.
    pub fn sides_with(&self, written: &dyn Fn(&Identifier) -> String) -> (String, String) {
        match self {
            Self::Same(a, b) | Self::Different(a, b) => {
                let (a, b) = if a <= b { (a, b) } else { (b, a) };
                (a.text(written), b.text(written))
            }
            Self::Detach(observation, identifier) => (observation.to_string(), written(identifier)),
            Self::Block(identifier) | Self::Trust(identifier) => {
                (written(identifier), String::new())
            }
            Self::Rekey(from, to) => (written(from), written(to)),
            Self::Revoke(assertion) => (assertion.to_string(), String::new()),
            Self::Probable(a, b, weight) => {
                (a.min(b).to_string(), format!("{}@{weight}", a.max(b)))
            }
        }
    }
}

/// What somebody said, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// What is asserted.
    pub verdict: Verdict,
    /// Who says so.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// When it was said.
    pub at: Timestamp,
}

impl Assertion {
    /// The name of the assertion: a hash of all that it says. Saying the same thing twice at one
    /// instant is one assertion; the order of the sides of `Same` and `Different` does not matter.
    pub fn id(&self) -> AssertionId {
        let (a, b) = self.verdict.sides();
        let reason = self.reason.as_deref().unwrap_or_default();
        AssertionId::from_bytes(hash16(
            domain!("cx assertion 1"),
            &[
                self.verdict.name().as_bytes(),
                a.as_bytes(),
                b.as_bytes(),
                self.by.as_bytes(),
                reason.as_bytes(),
                &self.at.as_micros().to_le_bytes(),
            ],
        ))
    }
}
