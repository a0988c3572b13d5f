//! Python values to JSON values and back.
//!
//! Instants come in as aware `datetime`s (or RFC 3339 texts) and go out as aware ones in UTC. A
//! `datetime` without a zone names no instant, so it is refused unless the caller says which zone
//! is meant.

use chrono::{FixedOffset, SecondsFormat};
use cx_adapters::csv;
use cx_core::event::FieldError;
use cx_core::time::{TimeError, Timestamp, UtcOffset};
use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyDate, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value, json};

use crate::error::BindingError;
use crate::event::Event;
use crate::fields::Fields;

/// Deeper nesting is refused: a list that holds itself has no end.
const DEPTH: usize = 64;

/// The zone in which instants without an offset were written.
#[derive(Debug, Clone)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// Reads `tz=`: the IANA name of a zone, an offset, a `zoneinfo.ZoneInfo`, or a
    /// `datetime.timezone`.
    pub(crate) fn from_python(tz: Option<&Bound<'_, PyAny>>) -> Result<Option<Self>, BindingError> {
        let Some(tz) = tz else { return Ok(None) };
        let name: String = match tz.getattr_opt("key")? {
            Some(key) => key.extract()?,
            None => tz.str()?.extract()?,
        };
        let zone = Self::named(&name).ok_or_else(|| {
            BindingError::argument("tz", &*name, "not a time zone like \"Europe/Amsterdam\"")
        })?;
        Ok(Some(zone))
    }

    /// The zone of that name, or with that offset: `Europe/Amsterdam`, `+01:00`, `UTC+01:00`.
    fn named(name: &str) -> Option<Self> {
        if is_utc(name) {
            return Some(Self(TimeZone::UTC));
        }
        if let Ok(zone) = TimeZone::get(name) {
            return Some(Self(zone));
        }
        let (sign, rest) = match name.strip_prefix("UTC").unwrap_or(name).split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let seconds = hours.checked_mul(3_600)?.checked_add(minutes.checked_mul(60)?)?;
        Some(Self(TimeZone::fixed(Offset::from_seconds(sign * seconds).ok()?)))
    }

    /// The instant that a clock on the wall there showed as `written`, with its offset, as
    /// RFC 3339. Of two possible instants (when clocks go back) the first; in a gap (when they go
    /// forward) as if the clock had not been changed yet.
    pub(crate) fn instant(&self, written: civil::DateTime) -> Option<String> {
        self.0.to_ambiguous_zoned(written).compatible().ok().map(|zoned| with_offset(&zoned))
    }

    /// The same with `fold=1` of a `datetime`: the clocks were changed already.
    fn instant_after_change(&self, written: civil::DateTime) -> Option<String> {
        let ambiguous = self.0.to_ambiguous_zoned(written);
        let zoned = match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => ambiguous.earlier(),
            AmbiguousOffset::Fold { .. } | AmbiguousOffset::Unambiguous { .. } => ambiguous.later(),
        };
        zoned.ok().map(|zoned| with_offset(&zoned))
    }

    /// The zone of a column of instants, as Arrow names it; `None` where that is UTC, or unknown.
    pub(crate) fn of_column(name: &str) -> Option<Self> {
        Self::named(name).filter(|zone| zone.0 != TimeZone::UTC)
    }

    /// An instant as clocks there show it, with its offset, as RFC 3339.
    pub(crate) fn shown(&self, micros: i64) -> Option<String> {
        let at = jiff::Timestamp::from_microsecond(micros).ok()?;
        Some(with_offset(&at.to_zoned(self.0.clone())))
    }
}

/// Whether a zone of this name is UTC: programs live there, and no people, so that it says nothing
/// of anybody's clock.
fn is_utc(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_prefix("etc/").unwrap_or(&name);
    let names = ["utc", "uct", "z", "zulu", "universal", "gmt", "gmt0", "gmt+0", "gmt-0"];
    names.contains(&name) || matches!(name, "greenwich" | "+00:00" | "-00:00")
}

fn with_offset(zoned: &jiff::Zoned) -> String {
    if *zoned.time_zone() == TimeZone::UTC {
        return zoned.timestamp().to_string();
    }
    let seconds = zoned.offset().seconds();
    let (sign, seconds) = if seconds < 0 { ('-', -seconds) } else { ('+', seconds) };
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    // Offsets of the nineteenth century had seconds; RFC 3339 has none.
    if seconds % 60 == 0 {
        format!("{}{sign}{hours:02}:{minutes:02}", zoned.datetime())
    } else {
        zoned.timestamp().to_string()
    }
}

/// What the caller says about records that do not say it themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Defaults {
    /// The zone of instants without one.
    pub(crate) zone: Option<Zone>,
    /// The region of telephone numbers in a column, where they have no country code.
    pub(crate) region: Option<String>,
    source: Option<Value>,
}

impl Defaults {
    /// A zone, and a source as in `crm` or `crm:acme`.
    pub(crate) fn new(zone: Option<Zone>, source: Option<&str>) -> Result<Self, BindingError> {
        let Some(source) = source else { return Ok(Self { zone, ..Self::default() }) };
        let (system, instance) = source.split_once(':').unwrap_or((source, ""));
        if system.trim().is_empty() {
            let problem = "names no system: one is \"crm\", or \"crm:acme\"";
            return Err(BindingError::argument("source", source, problem));
        }
        let source = match instance {
            "" => json!({"system": system}),
            instance => json!({"system": system, "instance": instance}),
        };
        Ok(Self { zone, region: None, source: Some(source) })
    }

    /// The same with a region.
    pub(crate) fn with_region(self, region: Option<String>) -> Self {
        Self { region, ..self }
    }

    /// Gives an event that names no source this one.
    pub(crate) fn fill(&self, json: &mut Map<String, Value>) {
        if let Some(source) = &self.source {
            json.entry("source").or_insert_with(|| source.clone());
        }
    }
}

/// A Python mapping as a JSON object.
pub(crate) fn object(
    mapping: &Bound<'_, PyAny>,
    zone: Option<&Zone>,
) -> Result<Map<String, Value>, FieldError> {
    match value(mapping, zone, 0)? {
        Value::Object(map) => Ok(map),
        other => Err(FieldError::malformed(
            "",
            &other,
            format!("an event is a dict, not {}", type_name(mapping)),
        )),
    }
}

/// A Python value as a JSON value.
fn value(any: &Bound<'_, PyAny>, zone: Option<&Zone>, depth: usize) -> Result<Value, FieldError> {
    if depth > DEPTH {
        return Err(problem(format!("nested deeper than {DEPTH} levels")));
    }
    if any.is_none() {
        Ok(Value::Null)
    } else if let Ok(text) = any.cast::<PyString>() {
        text.extract().map(Value::String).map_err(|_| problem("text with half a character pair"))
    } else if let Ok(flag) = any.cast::<PyBool>() {
        Ok(Value::Bool(flag.is_true()))
    } else if any.is_instance_of::<PyInt>() {
        integer(any)
    } else if let Ok(float) = any.cast::<PyFloat>() {
        number(float.value())
    } else if let Ok(at) = any.cast::<PyDateTime>() {
        // pandas has a `datetime` that is none.
        if is_missing(any) { Ok(Value::Null) } else { instant(at, zone).map(Value::String) }
    } else if any.is_instance_of::<PyDate>() {
        text_of(any, "isoformat")
    } else if any.is_instance_of::<PyList>() || any.is_instance_of::<PyTuple>() {
        list(any, zone, depth)
    } else if let Ok(fields) = any.cast::<Fields>() {
        Ok(fields.get().value().cloned().unwrap_or_default())
    } else if let Ok(event) = any.cast::<Event>() {
        Ok(Value::Object(event.get().inner().to_json()))
    } else if let Ok(mapping) = any.cast::<PyMapping>() {
        mapping_value(mapping, zone, depth)
    } else {
        foreign(any)
    }
}

fn list(any: &Bound<'_, PyAny>, zone: Option<&Zone>, depth: usize) -> Result<Value, FieldError> {
    let items = any.try_iter().map_err(|error| problem(error.to_string()))?;
    let items = items.enumerate().map(|(position, item)| {
        let item = item.map_err(|error| problem(error.to_string()))?;
        value(&item, zone, depth + 1).map_err(|error| inside(error, &position.to_string()))
    });
    items.collect::<Result<_, _>>().map(Value::Array)
}

fn mapping_value(
    mapping: &Bound<'_, PyMapping>,
    zone: Option<&Zone>,
    depth: usize,
) -> Result<Value, FieldError> {
    let items = mapping.items().map_err(|error| problem(error.to_string()))?;
    let mut map = Map::new();
    for pair in items {
        let (name, item): (Bound<'_, PyAny>, Bound<'_, PyAny>) =
            pair.extract().map_err(|error: PyErr| problem(error.to_string()))?;
        let Ok(name) = name.extract::<String>() else {
            return Err(problem(format!("a field's name is text, not {}", type_name(&name))));
        };
        let item = value(&item, zone, depth + 1).map_err(|error| inside(error, &name))?;
        map.insert(name, item);
    }
    Ok(Value::Object(map))
}

/// What is no number is a missing value, as in a frame.
fn number(float: f64) -> Result<Value, FieldError> {
    if float.is_nan() {
        return Ok(Value::Null);
    }
    let number = Number::from_f64(float).map(Value::Number);
    number.ok_or_else(|| problem("infinite: leave the field out, or use None"))
}

fn integer(any: &Bound<'_, PyAny>) -> Result<Value, FieldError> {
    if let Ok(number) = any.extract::<i64>() {
        return Ok(number.into());
    }
    let digits = any.str().and_then(|text| text.extract::<String>());
    digits
        .ok()
        .and_then(|digits| serde_json::from_str::<Number>(&digits).ok())
        .map(Value::Number)
        .ok_or_else(|| problem("an integer with too many digits"))
}

/// What other libraries use for text and numbers: `Decimal`, `UUID`, NumPy's numbers.
fn foreign(any: &Bound<'_, PyAny>) -> Result<Value, FieldError> {
    let name = type_name(any);
    if is_missing(any) {
        return Ok(Value::Null);
    }
    match name.as_str() {
        "Decimal" | "UUID" => text_of(any, "__str__"),
        "float16" | "float32" | "longdouble" => {
            number(any.extract().map_err(|error: PyErr| problem(error.to_string()))?)
        }
        "bool" | "bool_" => {
            any.is_truthy().map(Value::Bool).map_err(|error| problem(error.to_string()))
        }
        _ => match any.call_method0("__index__") {
            Ok(number) => integer(&number),
            Err(_) => Err(problem(format!("cannot be kept: it is a {name}"))),
        },
    }
}

fn text_of(any: &Bound<'_, PyAny>, method: &str) -> Result<Value, FieldError> {
    let text = any.call_method0(method).and_then(|text| text.extract());
    text.map(Value::String).map_err(|error| problem(error.to_string()))
}

/// A `datetime` as RFC 3339, with the offset it carries.
fn instant(at: &Bound<'_, PyDateTime>, zone: Option<&Zone>) -> Result<String, FieldError> {
    let python = |error: PyErr| problem(error.to_string());
    let text: String =
        at.call_method0("isoformat").and_then(|text| text.extract()).map_err(python)?;
    match Timestamp::parse_with_offset(&text) {
        Ok(_) if text.ends_with("+00:00") => {
            // `timezone.utc` is what programs use; only a zone that people live in is an offset.
            let key = at.getattr("tzinfo").and_then(|zone| zone.getattr_opt("key"));
            let zone: Option<String> = match key.map_err(python)? {
                Some(key) => key.extract().map_err(python)?,
                None => {
                    at.call_method0("tzname").and_then(|name| name.extract()).map_err(python)?
                }
            };
            let utc = zone.is_none_or(|name| is_utc(&name));
            Ok(if utc { text.replace("+00:00", "Z") } else { text })
        }
        Ok(_) => Ok(text),
        Err(TimeError::NoOffset { .. }) => {
            let fold: u8 = at.getattr("fold").and_then(|fold| fold.extract()).map_err(python)?;
            let later = match (fold, zone, text.parse::<civil::DateTime>()) {
                (1, Some(zone), Ok(written)) => zone.instant_after_change(written),
                _ => None,
            };
            later.map_or_else(|| localised(&text, zone), Ok)
        }
        Err(_) => {
            // An offset with seconds, as before there were time zones.
            let utc = pyo3::types::PyTzInfo::utc(at.py()).map_err(python)?;
            let text: String = at
                .call_method1("astimezone", (utc,))
                .and_then(|at| at.call_method0("isoformat"))
                .and_then(|text| text.extract())
                .map_err(|_| malformed(&text, "not a date and time"))?;
            Ok(text.replace("+00:00", "Z"))
        }
    }
}

/// A date and time without an offset, as the clock of `zone` showed it.
fn localised(text: &str, zone: Option<&Zone>) -> Result<String, FieldError> {
    let Some(zone) = zone else {
        return Err(malformed(
            text,
            "a time without a zone names no instant: use an aware datetime, \
             or say which zone is meant, as in tz=\"Europe/Amsterdam\"",
        ));
    };
    let written: civil::DateTime =
        text.trim().parse().map_err(|_| malformed(text, "not a date and time"))?;
    zone.instant(written).ok_or_else(|| malformed(text, "no instant in that time zone"))
}

/// Writes `occurred_at` of an event as RFC 3339, where it is written in another way that tables
/// are read in, or lacks the offset and a zone is known; refuses it where none is.
pub(crate) fn localise(
    json: &mut Map<String, Value>,
    zone: Option<&Zone>,
) -> Result<(), FieldError> {
    let Some(Value::String(text)) = json.get_mut("occurred_at") else { return Ok(()) };
    let read = match Timestamp::parse_with_offset(text) {
        Ok(_) => return Ok(()),
        Err(TimeError::NoOffset { .. }) => localised(text, zone),
        Err(_) => match csv::instant(text, zone.map(|zone| &zone.0)) {
            Ok((at, offset)) => {
                let is_of_utc = zone.is_some_and(|zone| zone.0 == TimeZone::UTC);
                Ok(written(at, offset.filter(|offset| !is_of_utc || offset.as_minutes() != 0)))
            }
            // Without a zone only its lack is wrong with what could be read in one.
            Err(_) if csv::instant(text, Some(&TimeZone::UTC)).is_ok() => localised(text, None),
            // What is wrong with it is told where the event is read.
            Err(_) => return Ok(()),
        },
    };
    *text = read.map_err(|error| inside(error, "occurred_at"))?;
    Ok(())
}

/// An instant as RFC 3339, with this offset.
fn written(at: Timestamp, offset: Option<UtcOffset>) -> String {
    let fixed =
        offset.and_then(|offset| FixedOffset::east_opt(i32::from(offset.as_minutes()) * 60));
    match fixed {
        Some(offset) => {
            at.to_chrono().with_timezone(&offset).to_rfc3339_opts(SecondsFormat::AutoSi, false)
        }
        None => at.to_string(),
    }
}

/// A JSON value as plain Python: `dict`, `list`, `str`, `int`, `float`, `bool`, `None`. An integer
/// with more digits than Python reads is a `str`.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Number(number) => number_to_python(py, number)?,
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(map) => object_to_python(py, map)?.into_any(),
    })
}

/// A JSON object as a new `dict`.
pub(crate) fn object_to_python<'py>(
    py: Python<'py>,
    map: &Map<String, Value>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, item) in map {
        dict.set_item(name, to_python(py, item)?)?;
    }
    Ok(dict)
}

fn number_to_python<'py>(py: Python<'py>, number: &Number) -> PyResult<Bound<'py, PyAny>> {
    if let Some(integer) = number.as_i64() {
        return Ok(integer.into_pyobject(py)?.into_any());
    }
    let text = number.to_string();
    let whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if whole {
        // Python reads no integer of more than some thousand digits: it is the text that it was.
        return match py.get_type::<PyInt>().call1((&text,)) {
            Err(error) if error.is_instance_of::<PyValueError>(py) => {
                Ok(PyString::new(py, &text).into_any())
            }
            read => read,
        };
    }
    py.get_type::<PyFloat>().call1((text,))
}

/// An instant as an aware `datetime` in UTC.
pub(crate) fn datetime(py: Python<'_>, at: Timestamp) -> PyResult<Bound<'_, PyDateTime>> {
    at.to_chrono().into_pyobject(py)
}

/// Reads an argument that names an instant: an aware `datetime` or an RFC 3339 text.
pub(crate) fn timestamp(
    argument: &'static str,
    given: Option<&Bound<'_, PyAny>>,
) -> Result<Option<Timestamp>, BindingError> {
    let Some(given) = given else { return Ok(None) };
    let refuse = |text: String, problem: String| BindingError::argument(argument, text, problem);
    let text = match given.cast::<PyDateTime>() {
        Ok(_) if is_missing(given) => {
            return Err(refuse(given.to_string(), "no instant: leave it out, or use None".into()));
        }
        Ok(at) => instant(at, None).map_err(|_| {
            let has_zone = at.getattr("tzinfo").is_ok_and(|zone| !zone.is_none());
            let problem = if has_zone {
                "outside the years 0001 to 9999 in UTC"
            } else {
                "has no zone: use an aware datetime"
            };
            refuse(given.to_string(), problem.into())
        })?,
        Err(_) => given.extract::<String>().map_err(|_| {
            refuse(given.to_string(), "not an aware datetime or a text of RFC 3339".into())
        })?,
    };
    match text.parse() {
        Ok(at) => Ok(Some(at)),
        Err(TimeError::NoOffset { .. }) => {
            Err(refuse(text, "has no offset: a whole one is 2026-03-02T09:00:00Z".into()))
        }
        Err(error) => Err(refuse(text, error.to_string())),
    }
}

/// The same where an instant left out means now.
pub(crate) fn timestamp_or_now(
    argument: &'static str,
    given: Option<&Bound<'_, PyAny>>,
) -> Result<Timestamp, BindingError> {
    if let Some(at) = timestamp(argument, given)? {
        return Ok(at);
    }
    let now = chrono::Utc::now();
    Timestamp::from_micros(now.timestamp_micros())
        .map_err(|error| BindingError::argument(argument, now.to_string(), error.to_string()))
}

/// Reads an argument that is one of a few words.
pub(crate) fn choice<T: Copy>(
    argument: &'static str,
    given: &str,
    known: &[(&str, T)],
) -> Result<T, BindingError> {
    let found = known.iter().find(|(name, _)| *name == given);
    found.map(|(_, meant)| *meant).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| format!("{name:?}")).collect();
        BindingError::argument(argument, given, format!("there are: {}", names.join(", ")))
    })
}

/// Reads an argument that is a text or several.
pub(crate) fn texts(
    argument: &'static str,
    given: Option<&Bound<'_, PyAny>>,
) -> Result<Vec<String>, BindingError> {
    let Some(given) = given else { return Ok(Vec::new()) };
    if let Ok(text) = given.cast::<PyString>() {
        return Ok(vec![text.extract()?]);
    }
    let refuse = || BindingError::argument(argument, type_name(given), "not text, or several");
    given
        .try_iter()
        .map_err(|_| refuse())?
        .map(|text| text?.extract::<String>().map_err(|_| refuse()))
        .collect()
}

/// Whether a value stands for one that is missing, in the ways of Python, NumPy and pandas.
pub(crate) fn is_missing(any: &Bound<'_, PyAny>) -> bool {
    if any.is_none() {
        return true;
    }
    if let Ok(float) = any.cast::<PyFloat>() {
        return float.value().is_nan();
    }
    match type_name(any).as_str() {
        "NAType" | "NaTType" => true,
        "Decimal" | "datetime64" | "timedelta64" | "float16" | "float32" | "longdouble" => {
            any.str().is_ok_and(|text| {
                matches!(text.to_string_lossy().as_ref(), "NaT" | "NaN" | "sNaN" | "nan")
            })
        }
        _ => false,
    }
}

/// Reads an argument that is a number of things.
pub(crate) fn count(argument: &'static str, given: i64) -> Result<usize, BindingError> {
    usize::try_from(given)
        .map_err(|_| BindingError::argument(argument, given.to_string(), "not 0 or more"))
}

/// What was pickled as JSON.
pub(crate) fn pickled<T: DeserializeOwned>(json: &str) -> Result<T, BindingError> {
    serde_json::from_str(json)
        .map_err(|error| BindingError::argument("json", json, error.to_string()))
}

/// The name of a value's type, for messages.
pub(crate) fn type_name(any: &Bound<'_, PyAny>) -> String {
    any.get_type().name().map_or_else(|_| "thing".to_owned(), |name| name.to_string())
}

/// The same problem inside the field of this name.
pub(crate) fn inside(error: FieldError, name: &str) -> FieldError {
    FieldError { pointer: format!("/{name}{}", error.pointer), ..error }
}

fn problem(problem: impl Into<String>) -> FieldError {
    FieldError { pointer: String::new(), value: None, problem: problem.into() }
}

fn malformed(text: &str, problem: &str) -> FieldError {
    FieldError::malformed("", &Value::String(text.to_owned()), problem)
}
