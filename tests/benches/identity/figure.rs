//! Figures: what was measured, what was wanted, and whether it was met.

use std::fmt;

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: String,
    /// How much it is.
    pub(crate) value: f64,
    /// How much it is to be.
    pub(crate) target: Target,
}

/// How much a figure is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// Anything.
    None,
    /// That much or more.
    AtLeast(f64),
    /// That much or less.
    AtMost(f64),
}

impl Figure {
    /// A figure without a target.
    pub(crate) fn new(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value, target: Target::None }
    }

    /// The same figure, wanted at this or above.
    #[must_use]
    pub(crate) fn at_least(self, target: f64) -> Self {
        Self { target: Target::AtLeast(target), ..self }
    }

    /// The same figure, wanted at this or below.
    #[must_use]
    pub(crate) fn at_most(self, target: f64) -> Self {
        Self { target: Target::AtMost(target), ..self }
    }

    /// Whether it is as much as it is to be. What is no number is not.
    pub(crate) fn is_met(&self) -> bool {
        match self.target {
            Target::None => true,
            Target::AtLeast(target) => self.value >= target,
            Target::AtMost(target) => self.value <= target,
        }
    }

    /// The figure as one line between processes.
    pub(crate) fn to_line(&self) -> String {
        let (sign, target) = match self.target {
            Target::None => ("", 0.0),
            Target::AtLeast(target) => (">=", target),
            Target::AtMost(target) => ("<=", target),
        };
        format!("figure\t{}\t{}\t{sign}\t{target}", self.name, self.value)
    }

    /// The figure of such a line, if it is one.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let mut parts = line.strip_prefix("figure\t")?.split('\t');
        let name = parts.next()?.to_owned();
        let value = parts.next()?.parse().ok()?;
        let sign = parts.next()?;
        let target = parts.next()?.parse().ok()?;
        let target = match sign {
            ">=" => Target::AtLeast(target),
            "<=" => Target::AtMost(target),
            _ => Target::None,
        };
        Some(Self { name, value, target })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (target, met) = match self.target {
            Target::None => (String::new(), ""),
            Target::AtLeast(target) => (format!(">= {}", number(target)), self.verdict()),
            Target::AtMost(target) => (format!("<= {}", number(target)), self.verdict()),
        };
        write!(f, "{:<62} {:>12} {target:>12} {met}", self.name, number(self.value))
    }
}

impl Figure {
    fn verdict(&self) -> &'static str {
        if self.is_met() { "met" } else { "MISSED" }
    }
}

/// Whole numbers as such, shares with four digits.
fn number(value: f64) -> String {
    if (value.round() - value).abs() < 1e-9 {
        format!("{value:.0}")
    } else if value.abs() >= 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.4}")
    }
}
