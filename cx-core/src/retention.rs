//! How long records may be kept, by kind and channel: the rules, and what they say of an event.

use std::fmt;
use std::str::FromStr;

use chrono::{Days, Months};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Timestamp;

/// How long a record may be kept, in calendar time: `30 days`, `8 weeks`, `13 months`, `7 years`,
/// or `forever`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keep {
    /// So many days.
    Days(u32),
    /// So many months; a month is as long as the calendar says.
    Months(u32),
    /// Without end.
    Forever,
}

impl Keep {
    /// The instant before which a record is too old at another instant; the beginning of time
    /// where it may be kept forever.
    ///
    /// ```
    /// use cx_core::retention::Keep;
    ///
    /// let keep: Keep = "13 months".parse()?;
    /// let now = "2026-03-31T12:00:00Z".parse()?;
    /// assert_eq!(keep.until(now).to_string(), "2025-02-28T12:00:00Z");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn until(self, now: Timestamp) -> Timestamp {
        let now = now.to_chrono();
        let until = match self {
            Self::Days(days) => now.checked_sub_days(Days::new(days.into())),
            Self::Months(months) => now.checked_sub_months(Months::new(months)),
            Self::Forever => None,
        };
        let until = until.and_then(|at| Timestamp::from_micros(at.timestamp_micros()).ok());
        until.unwrap_or(Timestamp::MIN)
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, unit) = match self {
            Self::Days(n) => (n, "day"),
            Self::Months(n) => (n, "month"),
            Self::Forever => return f.write_str("forever"),
        };
        write!(f, "{n} {unit}{}", if *n == 1 { "" } else { "s" })
    }
}

/// Not a length of time like `13 months`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no time to keep: 30 days, 8 weeks, 13 months, 7 years, or forever")]
pub struct KeepError {
    /// What was read.
    pub text: String,
}

impl FromStr for Keep {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Self, KeepError> {
        let wrong = || KeepError { text: text.to_owned() };
        let mut words = text.split_whitespace();
        let (first, unit) = (words.next().ok_or_else(wrong)?, words.next());
        if words.next().is_some() {
            return Err(wrong());
        }
        let Some(unit) = unit else {
            return if first == "forever" { Ok(Self::Forever) } else { Err(wrong()) };
        };
        // More than the years there are is a slip.
        let n: u32 = first.parse().ok().filter(|n| *n < 100_000).ok_or_else(wrong)?;
        match unit.trim_end_matches('s') {
            "day" => Ok(Self::Days(n)),
            "week" => Ok(Self::Days(7 * n)),
            "month" => Ok(Self::Months(n)),
            "year" => Ok(Self::Months(12 * n)),
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A rule: how long records of a kind, on a channel, may be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The kind: `message`, or all that begin alike: `web.*`. All of them where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The channel. All of them where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// How long.
    pub keep: Keep,
}

impl Rule {
    /// Whether the rule is for records of this kind on this channel.
    pub fn covers(&self, kind: &str, channel: &str) -> bool {
        let is_kind = self.kind.as_deref().is_none_or(|wanted| match wanted.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => kind == wanted,
        });
        // As imports read it, any other name than those that cx knows is `other:NAME`.
        let other = channel.strip_prefix("other:");
        is_kind
            && self
                .channel
                .as_deref()
                .is_none_or(|wanted| channel == wanted || other == Some(wanted))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_deref().unwrap_or("everything");
        match &self.channel {
            Some(channel) => write!(f, "{kind} on {channel}: {}", self.keep),
            None => write!(f, "{kind}: {}", self.keep),
        }
    }
}

/// All rules, in order: the first that covers a record says how long it may be kept. What none
/// covers is kept forever.
///
/// Written in TOML, or in JSON:
///
/// ```
/// use cx_core::retention::Retention;
///
/// let rules = Retention::read(r#"
///     [[rule]]
///     kind = "order.*"
///     keep = "7 years"
///
///     [[rule]]
///     channel = "web"
///     keep = "13 months"
/// "#)?;
/// assert_eq!(rules.of("web.page", "web").unwrap().keep.to_string(), "13 months");
/// assert!(rules.of("message", "email").is_none());
/// # Ok::<(), cx_core::retention::RetentionError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The rules, the first one first.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// Rules that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct RetentionError {
    /// What is wrong, with its place.
    pub problem: String,
}

impl Retention {
    /// Reads rules from TOML or JSON.
    ///
    /// # Errors
    /// [`RetentionError`] with the place of what is wrong.
    pub fn read(text: &str) -> Result<Self, RetentionError> {
        let wrong = |problem: String| RetentionError { problem };
        if text.trim_start().starts_with('{') {
            return serde_json::from_str(text).map_err(|error| wrong(error.to_string()));
        }
        toml::from_str(text).map_err(|error| wrong(error.to_string()))
    }

    /// The rule for records of this kind on this channel.
    pub fn of(&self, kind: &str, channel: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.covers(kind, channel))
    }

    /// Whether a record is too old at an instant.
    pub fn is_over(
        &self,
        kind: &str,
        channel: &str,
        occurred_at: Timestamp,
        now: Timestamp,
    ) -> bool {
        self.of(kind, channel).is_some_and(|rule| occurred_at < rule.keep.until(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_covers_a_record_counts() {
        let rules = Retention::read(
            "[[rule]]\nkind = \"web.*\"\nchannel = \"app\"\nkeep = \"forever\"\n\
             [[rule]]\nkind = \"web.*\"\nkeep = \"2 weeks\"\n[[rule]]\nkeep = \"1 year\"\n",
        )
        .unwrap();
        let keep = |kind, channel| rules.of(kind, channel).unwrap().keep;
        assert_eq!(keep("web.page", "app"), Keep::Forever);
        assert_eq!(keep("web.page", "web"), Keep::Days(14));
        assert_eq!(keep("message", "app"), Keep::Months(12));
        let now: Timestamp = "2026-03-15T00:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse().unwrap();
        assert!(rules.is_over("web.page", "web", at("2026-02-28T23:59:59Z"), now));
        assert!(!rules.is_over("web.page", "web", at("2026-03-01T00:00:00Z"), now));
        assert!(!rules.is_over("web.page", "app", Timestamp::MIN, now));
    }

    #[test]
    fn rules_that_cannot_be_read_name_their_place() {
        for text in
            ["[[rule]]\nkeep = \"13\"", "[[rule]]\nkind = \"a\"", "[[rules]]", "{\"rule\": 1}"]
        {
            assert!(Retention::read(text).is_err(), "{text}");
        }
        let error = Retention::read("[[rule]]\nkeep = \"soon\"").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("\"soon\""), "{error}");
        for text in
            ["", "13", "x days", "99999999999 days", "1 day more", "-1 days", "100000 years"]
        {
            assert!(text.parse::<Keep>().is_err(), "{text}");
        }
        assert_eq!("2 weeks".parse::<Keep>().unwrap().to_string(), "14 days");
    }
}
