//! Policies as documents: read from TOML or JSON, checked, written, compared.

use serde_json::Value;

use super::{Contest, Limit, Policy};
use crate::identifier::{IdentifierError, Who, WhoError};
use crate::time::Micros;

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It is neither TOML nor JSON.
    #[error("the policy cannot be read: {detail}")]
    Unreadable {
        /// What is wrong, with line and column where they are known.
        detail: String,
    },
    /// A field is not known, or its value has another form.
    #[error("the policy says something that cx does not understand: {detail}")]
    Malformed {
        /// Which field, and what it may be.
        detail: String,
    },
    /// A value makes no sense.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field, as `namespaces.phone.hub_above`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Where two policies differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Difference {
    /// The field, as `namespaces.phone.hub_above`.
    pub field: String,
    /// What the first one says, as JSON; `None` where it says nothing.
    pub before: Option<String>,
    /// What the second one says.
    pub after: Option<String>,
}

impl Policy {
    /// Reads a policy from TOML, or from JSON where the text begins with `{`. What the document
    /// does not say is as in the default. `hub_above = "never"` lifts a number; `"none"` stands for no
    /// `tier_when_stated` and no `min_assurance_beside_proved`.
    ///
    /// ```
    /// # use cx_core::identity::Policy;
    /// let policy = Policy::read("[namespaces.phone]\nhub_above = 4").unwrap();
    /// assert_eq!(policy.namespaces["phone"].hub_above, Some(4));
    /// assert_eq!(policy.dominant_percent, Policy::default().dominant_percent);
    /// assert!(Policy::read("[namespaces.phone]\nhub_abvoe = 4").is_err());
    /// ```
    ///
    /// # Errors
    /// [`PolicyError`], which names the place.
    pub fn read(text: &str) -> Result<Self, PolicyError> {
        let unreadable = |detail: String| PolicyError::Unreadable { detail };
        let said: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?
        } else {
            toml::from_str(text).map_err(|error| unreadable(error.to_string()))?
        };
        let mut fields = Vec::new();
        fields_of(&said, &mut Vec::new(), &mut fields);
        for field in &fields {
            // A store may hold microseconds; whoever writes a number means something else.
            let is_bare = match field.path.last().map(String::as_str) {
                Some("session") => field.value.is_number(),
                Some("contest") => {
                    field.value.pointer("/tenancy/gap").is_some_and(Value::is_number)
                }
                _ => false,
            };
            if is_bare {
                let problem = "a duration has a unit, such as 30m or 90d".to_owned();
                return Err(PolicyError::Invalid { field: field.place(text), problem });
            }
        }
        let policy = Self::of_said(said).map_err(|error| {
            let wrong = fields.into_iter().find_map(|field| {
                let error = Self::of_said(field.alone()).err()?;
                Some(format!("{}: {error}", field.place(text)))
            });
            PolicyError::Malformed { detail: wrong.unwrap_or_else(|| error.to_string()) }
        })?;
        policy.checked()
    }

    /// The default, and over it what a document says.
    fn of_said(said: Value) -> Result<Self, serde_json::Error> {
        let mut whole = serde_json::to_value(Self::default())?;
        if let (Value::Object(whole), Value::Object(said)) = (&mut whole, &said) {
            let other = whole.get("other").cloned().unwrap_or_default();
            // A namespace that the default does not name begins as any other.
            for (name, of) in
                said.get("namespaces").and_then(Value::as_object).into_iter().flatten()
            {
                let all = whole.get_mut("namespaces").and_then(Value::as_object_mut);
                if let (Some(all), true) = (all, of.is_object()) {
                    all.entry(name.clone()).or_insert_with(|| other.clone());
                }
            }
        }
        overlay(&mut whole, said);
        serde_json::from_value(whole)
    }

    /// The policy as TOML.
    pub fn to_toml(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        spell_out(&mut value);
        toml::to_string_pretty(&as_toml(&value)).unwrap_or_default()
    }

    /// The policy, with its blocked values in normal form, if all it says makes sense.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] for the first thing that makes none.
    pub fn checked(mut self) -> Result<Self, PolicyError> {
        let invalid = |field: String, problem: &str| {
            Err(PolicyError::Invalid { field, problem: problem.to_owned() })
        };
        if !(51..=100).contains(&self.dominant_percent) {
            return invalid("dominant_percent".to_owned(), "must be between 51 and 100");
        }
        if self.session.0 < Micros::ZERO {
            return invalid("session".to_owned(), "must not be negative");
        }
        if self.names_looked_at == 0 {
            return invalid("names_looked_at".to_owned(), "must be at least 1");
        }
        let each = self.namespaces.iter().map(|(name, of)| (format!("namespaces.{name}"), of));
        for (field, of) in each.chain([("other".to_owned(), &self.other)]) {
            if matches!(of.limit, Limit::Hard(0) | Limit::Report(0)) {
                return invalid(format!("{field}.limit"), "must be at least 1");
            }
            if of.hub_above.is_some_and(|above| above == 0 || above >= self.names_looked_at) {
                let problem = "must be at least 1 and less than names_looked_at";
                return invalid(format!("{field}.hub_above"), problem);
            }
            if let Contest::Tenancy { gap } = of.contest
                && gap.0 <= Micros::ZERO
            {
                return invalid(format!("{field}.contest.tenancy.gap"), "must be positive");
            }
        }
        let mut blocked = std::collections::BTreeSet::new();
        for value in &self.blocked {
            match Who::parse(value, None) {
                Ok(Who::Identifier(identifier)) if identifier.is_linkable() => {
                    blocked.insert(identifier.to_string())
                }
                Ok(Who::Identifier(_)) => {
                    let problem =
                        format!("{value:?} links nobody as it is: a number needs its country code");
                    return invalid("blocked".to_owned(), &problem);
                }
                // `noreply@`, `test@` and the like link nobody, whoever says so.
                Err(WhoError {
                    reason: Some(IdentifierError::Placeholder | IdentifierError::Nobody),
                    ..
                }) => continue,
                Ok(Who::Customer(_)) | Err(_) => {
                    let problem = format!("{value:?} is no NAMESPACE:VALUE");
                    return invalid("blocked".to_owned(), &problem);
                }
            };
        }
        self.blocked = blocked;
        Ok(self)
    }

    /// Where another policy differs from this one, by field.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let value = |policy: &Self| serde_json::to_value(policy).unwrap_or_default();
        let mut differences = Vec::new();
        compare(String::new(), Some(&value(self)), Some(&value(other)), &mut differences);
        differences
    }
}

/// The fields of a namespace that may say nothing, and the word for it.
const LIFTED: &[(&str, &str)] = &[
    ("hub_above", "never"),
    ("tier_when_stated", "none"),
    ("min_assurance_beside_proved", "none"),
];

/// A field that a document says something in.
struct Field {
    path: Vec<String>,
    value: Value,
}

impl Field {
    /// The field, as `namespaces.phone.hub_above`, with its line where the document is TOML.
    fn place(&self, text: &str) -> String {
        let field = self.path.join(".");
        match line_of(&self.path, text) {
            Some(line) => format!("{field} (line {line})"),
            None => field,
        }
    }

    /// A document that says this and nothing else.
    fn alone(&self) -> Value {
        self.path.iter().rev().fold(self.value.clone(), |value, name| {
            Value::Object(std::iter::once((name.clone(), value)).collect())
        })
    }
}

/// The fields of a document, those of a choice together.
fn fields_of(said: &Value, path: &mut Vec<String>, fields: &mut Vec<Field>) {
    let is_choice = path.last().is_some_and(|name| is_choice(name));
    match said {
        Value::Object(below) if !is_choice && !below.is_empty() => {
            for (name, value) in below {
                path.push(name.clone());
                fields_of(value, path, fields);
                path.pop();
            }
        }
        value => fields.push(Field { path: path.clone(), value: value.clone() }),
    }
}

/// A field that says one of several things, and is replaced as a whole.
fn is_choice(name: &str) -> bool {
    matches!(name, "limit" | "contest")
}

/// On which line of a document in TOML a field stands.
fn line_of(path: &[String], text: &str) -> Option<usize> {
    let (last, tables) = path.split_last()?;
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    for name in tables {
        table = table.get(name.as_str())?.get_ref().as_table()?;
    }
    let before = text.get(..table.get(last.as_str())?.span().start)?;
    Some(before.matches('\n').count() + 1)
}

/// A value as TOML; numbers in JSON are texts to other formats.
fn as_toml(value: &Value) -> toml::Value {
    match value {
        Value::Object(fields) => {
            let said = fields.iter().filter(|(_, value)| !value.is_null());
            toml::Value::Table(said.map(|(name, value)| (name.clone(), as_toml(value))).collect())
        }
        Value::Array(values) => toml::Value::Array(values.iter().map(as_toml).collect()),
        Value::Bool(yes) => toml::Value::Boolean(*yes),
        Value::String(text) => toml::Value::String(text.clone()),
        other => match other.as_i64() {
            Some(number) => toml::Value::Integer(number),
            None => toml::Value::String(other.to_string()),
        },
    }
}

/// Lays what a document says over what holds without it.
fn overlay(whole: &mut Value, said: Value) {
    match (whole, said) {
        (Value::Object(whole), Value::Object(said)) => {
            for (field, value) in said {
                let is_lifted = LIFTED
                    .iter()
                    .any(|(name, word)| *name == field && value.as_str() == Some(*word));
                let is_choice = is_choice(&field);
                match whole.get_mut(&field) {
                    _ if is_lifted => {
                        whole.insert(field, Value::Null);
                    }
                    Some(below) if !is_choice => overlay(below, value),
                    _ => {
                        whole.insert(field, value);
                    }
                }
            }
        }
        (whole, said) => *whole = said,
    }
}

/// TOML has no word for nothing.
fn spell_out(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    for (name, value) in fields {
        match LIFTED.iter().find(|(lifted, _)| lifted == name) {
            Some((_, word)) if value.is_null() => *value = Value::from(*word),
            _ => spell_out(value),
        }
    }
}

fn compare(
    field: String,
    before: Option<&Value>,
    after: Option<&Value>,
    into: &mut Vec<Difference>,
) {
    let below =
        |name: &str| if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let names: std::collections::BTreeSet<&String> =
                before.keys().chain(after.keys()).collect();
            for name in names {
                compare(below(name), before.get(name), after.get(name), into);
            }
        }
        (None, Some(Value::Object(after))) => {
            for name in after.keys() {
                compare(below(name), None, after.get(name), into);
            }
        }
        (before, after) if before != after => {
            let (before, after) = (before.map(Value::to_string), after.map(Value::to_string));
            into.push(Difference { field, before, after });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_comes_back_from_its_toml_and_its_json() {
        let policy = Policy::default();
        assert_eq!(Policy::read(&policy.to_toml()).unwrap(), policy);
        assert_eq!(Policy::read(&serde_json::to_string(&policy).unwrap()).unwrap(), policy);
        assert_eq!(Policy::read("").unwrap(), policy);
    }

    #[test]
    fn a_document_says_only_what_is_other_than_usual() {
        let policy = Policy::read(
            "session = \"5m\"\nblocked = [\"Hub@Example.com\"]\n\
             [namespaces.email]\nhub_above = \"never\"\ncontest = \"refuse\"\n\
             [namespaces.clubcard]\nhub_above = 2\n\
             [sources.legacy]\nmin_assurance = \"staff_verified\"",
        )
        .unwrap();
        let told: Vec<String> = Policy::default()
            .differences(&policy)
            .into_iter()
            .map(|d| {
                format!(
                    "{}: {} -> {}",
                    d.field,
                    d.before.unwrap_or_default(),
                    d.after.unwrap_or_default()
                )
            })
            .filter(|line| !line.starts_with("namespaces.clubcard."))
            .collect();
        assert_eq!(
            told,
            [
                "blocked:  -> [\"email:hub@example.com\"]",
                "namespaces.email.contest: \"dominant\" -> \"refuse\"",
                "namespaces.email.hub_above: 3 -> null",
                "session: \"30m\" -> \"5m\"",
                "sources.legacy.min_assurance:  -> \"staff_verified\"",
            ]
        );
        assert_eq!(policy.namespaces["clubcard"].hub_above, Some(2));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_place() {
        let problem = |text: &str| Policy::read(text).unwrap_err().to_string();
        assert_eq!(
            problem("dominant_percent = 40"),
            "dominant_percent: must be between 51 and 100"
        );
        assert_eq!(
            problem("[namespaces.phone]\nhub_above = 900"),
            "namespaces.phone.hub_above: must be at least 1 and less than names_looked_at"
        );
        assert!(problem("blocked = []\n[namespaces.phone]\ntier = \"weak\"").contains(
            "understand: namespaces.phone.tier (line 3): unknown variant `weak`, expected one"
        ));
        assert!(problem("{\"other\": {\"limit\": \"few\"}}").contains("other.limit: unknown"));
        assert_eq!(
            problem("session = 3"),
            "session (line 1): a duration has a unit, such as 30m or 90d"
        );
        assert!(
            problem("[namespaces.phone.contest.tenancy]\ngap = 90")
                .starts_with("namespaces.phone.contest (line 1): a duration has a unit")
        );
        assert!(problem("session = \"soon\"").contains("no duration such as"));
        assert!(problem("blocked = [\"nobody\"]").contains("NAMESPACE:VALUE"));
        assert!(problem("blocked = [\"06 12345678\"]").contains("country code"));
        assert!(problem("tires = 3").contains("tires"));
        assert!(problem("tier = = 3").contains("line 1"));
    }
}
