//! Results: a value with all that is needed to judge it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::time::Timestamp;

/// Between what a value lies, with a probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end; `None` where there is none to tell.
    pub high: Option<f64>,
    /// The probability: 0.95.
    pub level: f64,
    /// How it is computed.
    pub method: &'static str,
}

/// A number and its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// The number.
    pub value: f64,
    /// Its interval, where there is one.
    pub interval: Option<Interval>,
}

/// In what a value is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Points from -100 to 100.
    Points,
    /// A share from 0 to 1.
    Share,
    /// Answers on the scale.
    Scale,
    /// Seconds of calendar time.
    Seconds,
}

/// A measured value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The measure's id: `nps`.
    pub measure: &'static str,
    /// How it is defined, in a sentence.
    pub definition: String,
    /// What was chosen where the definition leaves a choice.
    pub parameters: BTreeMap<&'static str, String>,
    /// In what the value is counted.
    pub unit: Unit,
    /// The instant of asking: what came later is not in it.
    pub as_of: Timestamp,
    /// On how many answers, or waits, it rests.
    pub n: u64,
    /// The value; `None` where there is nothing to measure, or where so many still wait that there
    /// is no median yet.
    pub value: Option<Figure>,
    /// Further figures of the same answers, by name.
    pub parts: BTreeMap<&'static str, Figure>,
    /// Counts behind the value, by name.
    pub counts: BTreeMap<&'static str, u64>,
    /// What was left out, by reason.
    pub excluded: BTreeMap<&'static str, u64>,
}

impl Measured {
    pub(super) fn new(measure: &'static str, unit: Unit, as_of: Timestamp) -> Self {
        Self {
            measure,
            definition: String::new(),
            parameters: BTreeMap::new(),
            unit,
            as_of,
            n: 0,
            value: None,
            parts: BTreeMap::new(),
            counts: BTreeMap::new(),
            excluded: BTreeMap::new(),
        }
    }

    pub(super) fn define(&mut self, definition: &str) {
        definition.clone_into(&mut self.definition);
    }

    pub(super) fn exclude(&mut self, reason: &'static str) {
        *self.excluded.entry(reason).or_default() += 1;
    }

    /// The result as a sentence or two.
    pub fn explain(&self) -> String {
        let value = match self.value {
            None if self.n > 0 && matches!(self.unit, Unit::Seconds) => {
                let is_left = self.counts.get("resolved_unanswered").is_some_and(|n| *n > 0);
                if is_left {
                    "no value yet, since most of them still wait, or got no answer".to_owned()
                } else {
                    "no value yet, since most of them still wait".to_owned()
                }
            }
            None => "no value, since there is nothing to measure".to_owned(),
            Some(figure) => self.figure(figure),
        };
        let reasons: Vec<String> =
            self.excluded.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
        let excluded = if reasons.is_empty() {
            String::new()
        } else {
            format!("; left out: {}", reasons.join(", "))
        };
        format!("{}: {value}; n = {}{excluded}. {}", self.measure, self.n, self.definition)
    }

    fn figure(&self, figure: Figure) -> String {
        let value = self.number(figure.value);
        match figure.interval {
            None => value,
            Some(interval) => {
                let low = self.number(interval.low);
                let high = interval
                    .high
                    .map_or_else(|| "no upper end".to_owned(), |high| self.number(high));
                format!("{value} ({low} to {high}, 95 %, {})", interval.method)
            }
        }
    }

    /// A number of the result as a person reads it.
    pub fn number(&self, value: f64) -> String {
        match self.unit {
            Unit::Points => format!("{value:.1}"),
            Unit::Share => format!("{:.1} %", value * 100.0),
            Unit::Scale => format!("{value:.2}"),
            Unit::Seconds => duration(value),
        }
    }
}

/// Seconds as a person reads them: `2 d 3 h`, `4 min 10 s`.
fn duration(seconds: f64) -> String {
    let units =
        [(86_400.0, "d", 3_600.0, "h"), (3_600.0, "h", 60.0, "min"), (60.0, "min", 1.0, "s")];
    for (large, name, small, rest) in units {
        if seconds >= large {
            let whole = (seconds / large).floor();
            let left = ((seconds - whole * large) / small).floor();
            return format!("{whole:.0} {name} {left:.0} {rest}");
        }
    }
    format!("{seconds:.0} s")
}
