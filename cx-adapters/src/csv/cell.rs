//! What stands in a cell: times and values.

use cx_core::time::{TimeError, Timestamp, UtcOffset};
use jiff::civil;
use jiff::fmt::strtime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::json::{DEPTH_LIMIT, nests};

/// An instant, and the offset from UTC with which it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) offset: Option<UtcOffset>,
}

/// The instant in a cell: RFC 3339, with its offset in any spelling or a zone behind it; seconds
/// (9 to 11 digits) or milliseconds (12 or 13) since 1970; in a zone also a date and time without
/// an offset, or a date, which means its beginning.
///
/// A time that a zone's clocks skip is moved on by what they skip; one that they show twice is the
/// first.
pub(super) fn moment(
    text: &str,
    zone: Option<&TimeZone>,
    format: Option<&str>,
) -> Result<Moment, String> {
    let moment = read(text, zone, format)?;
    // No record of a customer is older; a year of two digits that is read as one of four is.
    let is_old = Timestamp::from_seconds(YEAR_1900).is_ok_and(|first| moment.at < first);
    if is_old {
        return Err("before the year 1900: years of two digits are %y".to_owned());
    }
    Ok(moment)
}

/// When 1900 began, in seconds since 1970.
const YEAR_1900: i64 = -2_208_988_800;

fn read(text: &str, zone: Option<&TimeZone>, format: Option<&str>) -> Result<Moment, String> {
    if let Some(format) = format {
        return formatted(text, zone, format);
    }
    if let Some(instant) = number(text) {
        return instant.map(|at| Moment { at, offset: None });
    }
    // Many programs write a space where RFC 3339 has a `T`.
    let error = match Timestamp::parse_with_offset(text) {
        Ok((at, offset)) => return Ok(Moment { at, offset }),
        Err(error) => error,
    };
    // The same with a space before its offset, or one digit for the hour.
    if let Some(Ok((at, offset))) = tidied(text).map(|text| Timestamp::parse_with_offset(&text)) {
        return Ok(Moment { at, offset });
    }
    // What the text says of its offset counts before what the table says of its zone.
    if let Ok(pieces) = Pieces::parse(text) {
        let local = pieces.date().to_datetime(pieces.time().unwrap_or_default());
        if let Some(offset) = pieces.to_numeric_offset() {
            return in_zone(local, &TimeZone::fixed(offset));
        }
        let own = pieces.to_time_zone().map_err(|error| error.to_string())?;
        return in_zone(local, own.as_ref().or(zone).ok_or_else(no_zone)?);
    }
    // As mails and other programs write it, with an offset. A mere number was looked at above.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
    match crate::json::instant(text) {
        Ok(read) if !is_number => Ok(Moment { at: read.at, offset: read.offset }),
        _ => Err(match error {
            TimeError::NoOffset { .. } => no_zone(),
            _ => "not a date and time like 2026-03-02T09:00:00+01:00; \
                other forms need a time_format"
                .to_owned(),
        }),
    }
}

/// `2026-03-02T09:00:00+01:00` of `2026-03-02 9:00 +01:00`; `None` for what has no offset.
fn tidied(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?.trim_start();
    let (time, zone) = rest.split_at_checked(rest.find(['+', '-', 'Z', 'z', ' '])?)?;
    let hour = if time.find(':') == Some(1) { "0" } else { "" };
    let seconds = if time.matches(':').count() == 1 { ":00" } else { "" };
    Some(format!("{date}T{hour}{time}{seconds}{}", zone.trim()))
}

fn no_zone() -> String {
    "has no offset: add Z or one like +01:00, or say which zone it is in".to_owned()
}

/// Seconds or milliseconds since 1970. Digits that may be a date are refused: none of the two is
/// what a table means by `20260302`, or a spreadsheet by `45000`.
fn number(text: &str) -> Option<Result<Timestamp, String>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    // With a fraction they are seconds, as programs count them.
    if let Some((seconds, fraction)) = digits.split_once('.')
        && (9..=11).contains(&seconds.len())
        && !fraction.is_empty()
        && (seconds.bytes().chain(fraction.bytes())).all(|byte| byte.is_ascii_digit())
    {
        return Some(crate::json::instant(text).map(|read| read.at));
    }
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let is_date = matches!(digits.len(), 12 | 14)
        && strtime::parse("%Y%m%d%H%M", digits.get(..12).unwrap_or_default())
            .and_then(|read| read.to_datetime())
            .is_ok_and(|at| (1900..2100).contains(&at.year()));
    if digits.len() < 9 || is_date {
        let problem = "a number, and neither seconds nor milliseconds since 1970; \
            a date in digits needs a time_format, such as %Y%m%d";
        return Some(Err(problem.to_owned()));
    }
    let number: i64 = text.parse().ok()?;
    let read = if digits.len() > 11 {
        Timestamp::from_millis(number)
    } else {
        Timestamp::from_seconds(number)
    };
    Some(read.map_err(|error| error.to_string()))
}

fn formatted(text: &str, zone: Option<&TimeZone>, format: &str) -> Result<Moment, String> {
    let read = strtime::parse(format, text)
        .map_err(|error| format!("not a time of the form {format:?}: {error}"))?;
    if read.offset().is_some() || read.timestamp().is_some() {
        let at = read.to_timestamp().map_err(|error| error.to_string())?;
        let minutes = read.offset().map(|offset| offset.seconds() / 60);
        return instant(at, minutes);
    }
    let local = read
        .to_datetime()
        .or_else(|_| read.to_date().map(|date| date.at(0, 0, 0, 0)))
        .map_err(|error| error.to_string())?;
    in_zone(local, zone.ok_or_else(no_zone)?)
}

fn in_zone(local: civil::DateTime, zone: &TimeZone) -> Result<Moment, String> {
    let zoned = local.to_zoned(zone.clone()).map_err(|error| error.to_string())?;
    instant(zoned.timestamp(), Some(zoned.offset().seconds() / 60))
}

fn instant(at: jiff::Timestamp, minutes: Option<i32>) -> Result<Moment, String> {
    let at = Timestamp::from_micros(at.as_microsecond()).map_err(|error| error.to_string())?;
    let Some(minutes) = minutes else { return Ok(Moment { at, offset: None }) };
    let offset = i16::try_from(minutes).ok().and_then(UtcOffset::from_minutes);
    let offset = offset.ok_or_else(|| "an offset that no place has".to_owned())?;
    Ok(Moment { at, offset: Some(offset) })
}

/// A cell as JSON: numbers, `true` and `false`, lists and objects as such, all else as text. What
/// begins with a nought or a plus is no number. Where the table's mark of decimals is told, numbers are
/// as it has them, also with a mark between thousands and the sign of a currency.
pub(super) fn value(text: &str, decimal: Option<char>) -> Value {
    if let Some(number) = decimal.and_then(|decimal| number_with(text, decimal)) {
        return serde_json::from_str(&number).unwrap_or(Value::String(number));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value)
            if !matches!(value, Value::Null | Value::String(_)) && !nests(&value, DEPTH_LIMIT) =>
        {
            value
        }
        Ok(_) | Err(_) => Value::String(text.to_owned()),
    }
}

/// `1234.50` of `€ 1.234,50`; `None` for what is no number written so.
fn number_with(text: &str, decimal: char) -> Option<String> {
    let is_sign = |c: char| matches!(c, '€' | '$' | '£' | '¥') || c.is_whitespace();
    let text = text.trim_matches(is_sign);
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |text| ("-", text));
    let text = text.trim_start_matches(is_sign);
    let (whole, fraction) = match text.split_once(decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_thousands =
        |c: char| c != decimal && matches!(c, '.' | ',' | ' ' | '\u{a0}' | '\u{202f}' | '\'' | '’');
    let groups: Vec<&str> = whole.split(is_thousands).collect();
    let is_grouped = groups.iter().all(|group| is_digits(group))
        && groups.iter().skip(1).all(|group| group.len() == 3)
        && (groups.len() == 1 || groups.first().is_some_and(|first| first.len() < 4));
    let has_zero = groups.first().is_some_and(|first| first.len() > 1 && first.starts_with('0'));
    if !is_grouped || has_zero || fraction.is_some_and(|fraction| !is_digits(fraction)) {
        return None;
    }
    let fraction = fraction.map(|fraction| format!(".{fraction}")).unwrap_or_default();
    Some(format!("{sign}{}{fraction}", groups.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, zone: Option<&str>, format: Option<&str>, expected: &str) {
        let zone = zone.map(|name| TimeZone::get(name).unwrap());
        let found = match moment(text, zone.as_ref(), format) {
            Ok(Moment { at, offset: Some(offset) }) => format!("{at} {offset}"),
            Ok(Moment { at, offset: None }) => at.to_string(),
            Err(problem) => problem,
        };
        assert!(found.starts_with(expected), "{text}: {found}");
    }

    #[test]
    fn instants_are_read_as_they_are_written() {
        check("2026-03-02T09:00:00+01:00", None, None, "2026-03-02T08:00:00Z +01:00");
        check("2026-03-02 08:00:00Z", None, None, "2026-03-02T08:00:00Z");
        check("1772438400", None, None, "2026-03-02T08:00:00Z");
        check("1772438400123", None, None, "2026-03-02T08:00:00.123Z");
        check("1772438400.123", None, None, "2026-03-02T08:00:00.123Z");
        for text in ["2026-03-02 9:00 +01:00", "2026-03-02T08:00:00 Z", "2026-03-02 8:00:00Z"] {
            check(text, None, None, "2026-03-02T08:00:00Z");
        }
        check("2026-03-02T09:00:00+25:00", None, None, "an offset that no place has");
        check(
            "2-3-26 9:05",
            Some("Europe/Amsterdam"),
            Some("%d-%m-%Y %H:%M"),
            "before the year 1900",
        );
        check("2/3/2026", None, None, "not a date and time like");
        check("9999999999999999999", None, None, "not a date and time like");
        check("999999999999999999", None, None, "the instant lies outside");
    }

    #[test]
    fn an_offset_that_is_there_counts_whatever_the_zone() {
        for (text, expected) in [
            ("2026-03-02 09:00:00+01", "2026-03-02T08:00:00Z +01:00"),
            ("2026-03-02 09:00:00.5+01", "2026-03-02T08:00:00.500Z +01:00"),
            ("2026-03-02T09:00:00+0100", "2026-03-02T08:00:00Z +01:00"),
            ("2026-03-02 09:00:00 +0100", "2026-03-02T08:00:00Z +01:00"),
            ("2026-03-02T09:00:00-0500", "2026-03-02T14:00:00Z -05:00"),
            ("2026-03-02T09:00:00[Europe/Amsterdam]", "2026-03-02T08:00:00Z +01:00"),
            ("2026-03-02 09:00:00 UTC", "2026-03-02T09:00:00Z"),
            ("Mon, 2 Mar 2026 09:00:00 +0100", "2026-03-02T08:00:00Z +01:00"),
        ] {
            check(text, Some("America/New_York"), None, expected);
            check(text, None, None, expected);
        }
    }

    #[test]
    fn digits_that_may_be_a_date_are_no_seconds() {
        for text in ["20260302", "45000", "2026", "202603020900", "20260302090000", "1.5"] {
            let found = moment(text, Some(&TimeZone::UTC), None).unwrap_err();
            assert!(found.contains("time_format"), "{text}: {found}");
        }
        check("202613020900", None, None, "1976-06-03T01:");
        check("20260302", Some("UTC"), Some("%Y%m%d"), "2026-03-02T00:00:00Z");
    }

    #[test]
    fn a_time_without_an_offset_needs_a_zone() {
        check("2026-03-02 09:00", None, None, "has no offset");
        check("2026-03-02 09:00", Some("Europe/Amsterdam"), None, "2026-03-02T08:00:00Z +01:00");
        check("2026-07-02", Some("Europe/Amsterdam"), None, "2026-07-01T22:00:00Z +02:00");
    }

    #[test]
    fn clocks_that_go_forward_and_back_lose_no_event() {
        let zone = Some("Europe/Amsterdam");
        check("2026-03-29 02:30", zone, None, "2026-03-29T01:30:00Z +02:00");
        check("2026-10-25 02:30", zone, None, "2026-10-25T00:30:00Z +02:00");
    }

    #[test]
    fn a_form_reads_other_times() {
        let form = Some("%d-%m-%Y %H:%M");
        check("02-03-2026 09:00", Some("UTC"), form, "2026-03-02T09:00:00Z +00:00");
        check("02-03-2026 09:00", None, form, "has no offset");
        check("March", Some("UTC"), form, "not a time of the form \"%d-%m-%Y %H:%M\"");
        check("2/3/2026 +0100", None, Some("%d/%m/%Y %z"), "");
    }

    #[test]
    fn a_cell_is_a_number_only_where_nothing_is_lost() {
        assert_eq!(value("60", None), serde_json::json!(60));
        assert_eq!(value("007", None), "007");
        assert_eq!(value("+31", None), "+31");
        assert_eq!(value("1.50", None).to_string(), "1.50");
        assert_eq!(value("null", None), "null");
        assert_eq!(value("[\"a\"]", None), serde_json::json!(["a"]));
        for (text, expected) in [
            ("12,50", "12.50"),
            ("1.234", "1234"),
            ("1.234,50", "1234.50"),
            ("€ 12,50", "12.50"),
            ("-1 234,5 €", "-1234.5"),
            ("1.23", "1.23"),
            ("007", "\"007\""),
        ] {
            assert_eq!(value(text, Some(',')).to_string(), expected, "{text}");
        }
        assert_eq!(value("1,234.50", Some('.')).to_string(), "1234.50");
    }
}
