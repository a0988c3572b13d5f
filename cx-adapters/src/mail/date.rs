//! When a mail was written, as well as it can be told.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use cx_core::event::TimeOrigin;
use cx_core::time::{Micros, Timestamp, UtcOffset};

use super::headers::Headers;
use crate::{Options, RecordError};

/// An instant, and the offset from UTC with which it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) offset: Option<UtcOffset>,
}

/// The best that a mail says of its time.
///
/// `Date`, unless it is more than a day off from the last server's `Received`, or has no zone; then
/// that one; then the mailbox's `From ` line; then the time of import.
pub(super) fn of(
    headers: Headers<'_>,
    envelope: Option<Moment>,
    options: &Options,
) -> Result<(Moment, TimeOrigin), RecordError> {
    let written = headers.raw("date").into_iter().find_map(|text| read(&text));
    let received = headers.raw("received").into_iter().find_map(|text| {
        let (_, date) = text.rsplit_once(';')?;
        of_header(date)
    });
    match (written, received) {
        // A time without a zone may be half a day off, and the server knows better.
        (Some((written, zone)), Some(received))
            if is_far(written, received) || zone == Zone::Unknown =>
        {
            Ok((received, TimeOrigin::Received))
        }
        (Some((written, _)), _) => Ok((written, TimeOrigin::Event)),
        (None, Some(received)) => Ok((received, TimeOrigin::Received)),
        (None, None) => envelope
            .map(|moment| (moment, TimeOrigin::Received))
            .or_else(|| {
                let at = options.received_at?;
                Some((Moment { at, offset: None }, TimeOrigin::Import))
            })
            .ok_or_else(|| undated(headers)),
    }
}

fn is_far(written: Moment, received: Moment) -> bool {
    let apart = written.at.since(received.at);
    apart > Micros::DAY || apart < Micros::DAY.times(-1)
}

fn undated(headers: Headers<'_>) -> RecordError {
    match headers.raw("date").first() {
        Some(text) => RecordError::new("not a date and time").at("Date").with_value(text),
        None => RecordError::new("missing, and nothing else says when it was received").at("Date"),
    }
}

/// Whether a date says in which zone it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    Known,
    Unknown,
}

/// The moment in a `Date` header. A wrong day of the week does not matter; without a zone that is
/// known it is in UTC, and its offset is not known (RFC 5322, 3.3 and 4.3).
///
/// Every word is understood, or none of them counts: what is passed over may be half a day.
pub(super) fn of_header(text: &str) -> Option<Moment> {
    read(text).map(|(moment, _)| moment)
}

fn read(text: &str) -> Option<(Moment, Zone)> {
    // Some programs write the date as other programs read it.
    let is_of_words =
        || text.split(['-', ' ', ',']).any(|word| month_of(&word.to_lowercase()).is_some());
    of_words(text).or_else(|| {
        if is_of_words() {
            return None;
        }
        if let Ok(read) = crate::json::instant(text) {
            return Some((Moment { at: read.at, offset: read.offset }, Zone::Known));
        }
        let forms = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"];
        let local =
            forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text.trim(), form).ok());
        Some((moment(local?, 0, None)?, Zone::Unknown))
    })
}

/// Zones that are written by name, in minutes. What is not here is in no one zone.
const ZONES: &[(&str, i16)] = &[
    ("ut", 0),
    ("utc", 0),
    ("gmt", 0),
    ("z", 0),
    ("wet", 0),
    ("west", 60),
    ("bst", 60),
    ("cet", 60),
    ("mez", 60),
    ("met", 60),
    ("cest", 120),
    ("mesz", 120),
    ("mest", 120),
    ("sast", 120),
    ("eet", 120),
    ("eest", 180),
    ("msk", 180),
    ("sgt", 480),
    ("hkt", 480),
    ("awst", 480),
    ("jst", 540),
    ("kst", 540),
    ("aest", 600),
    ("aedt", 660),
    ("nzst", 720),
    ("nzdt", 780),
    ("edt", -240),
    ("est", -300),
    ("cdt", -300),
    ("cst", -360),
    ("mdt", -360),
    ("mst", -420),
    ("pdt", -420),
    ("pst", -480),
    ("akst", -540),
    ("hst", -600),
];

/// A date of words: `Mon, 2 Mar 2026 09:00:00 +0100`, `Mon Mar  2 09:00:00 2026`,
/// `Monday, 2-Mar-26 09:00 GMT`.
fn of_words(text: &str) -> Option<(Moment, Zone)> {
    let text = without_comments(text);
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c == ',')
        .flat_map(|word| {
            let is_date =
                word.split('-').count() == 3 && word.contains(|c: char| c.is_alphabetic());
            word.split(move |c| is_date && c == '-')
        })
        .filter(|word| !word.is_empty())
        .collect();
    let (mut numbers, mut month, mut time) = (Vec::new(), None, None);
    let (mut half, mut zone, mut name) = (None, None, None);
    for (position, word) in words.iter().enumerate() {
        let lower = word.to_ascii_lowercase();
        if is_digits(word) {
            numbers.push(*word);
        } else if let (None, Some(found)) = (time, clock(word)) {
            time = Some(found);
        } else if let (None, Some(found)) = (month, month_of(&lower)) {
            month = Some(found);
        } else if let (Some(_), None, Some(found)) = (time, zone, zone_of(&lower)) {
            zone = Some(found);
        } else if time.is_some() && half.is_none() && matches!(lower.as_str(), "am" | "pm") {
            half = Some(lower);
        } else if position == 0 && word.chars().all(|c| c.is_alphabetic() || c == '.') {
            // The day of the week.
        } else if let (Some(_), None, true) = (time, name, is_word(word)) {
            name = Some(word);
        } else {
            return None;
        }
    }
    let (day, year) = match numbers.as_slice() {
        [year, day] if year.len() > 2 => (day, year),
        [day, year] => (day, year),
        _ => return None,
    };
    let day = Some(day).filter(|day| day.len() < 3)?.parse().ok()?;
    let day = NaiveDate::from_ymd_opt(full_year(year)?, month?, day)?;
    let local = day.and_time(of_half(time?, half.as_deref())?);
    Some(match zone {
        // `-0000` says that the offset is not known.
        Some((0, true)) => (moment(local, 0, None)?, Zone::Known),
        Some((minutes, _)) => (moment(local, minutes, Some(minutes))?, Zone::Known),
        None => (moment(local, 0, None)?, Zone::Unknown),
    })
}

/// The month of a name in English, short or whole, by its number.
fn month_of(word: &str) -> Option<u32> {
    const WHOLE: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = word.trim_end_matches('.');
    let is = |name: &&str| word.len() >= 3 && name.starts_with(word);
    u32::try_from(WHOLE.iter().position(is)?).ok().map(|month| month + 1)
}

/// A year of two digits is one between 1950 and 2049, and one of three is counted from 1900
/// (RFC 5322, 4.3). No mail is older than that.
fn full_year(text: &str) -> Option<i32> {
    let year: i32 = Some(text).filter(|text| text.len() < 5)?.parse().ok()?;
    let year = match text.len() {
        2 if year < 50 => year + 2000,
        2 | 3 => year + 1900,
        _ => year,
    };
    (year >= 1900).then_some(year)
}

/// A time in the half of the day that is named, if one is.
fn of_half(time: NaiveTime, half: Option<&str>) -> Option<NaiveTime> {
    let Some(half) = half else { return Some(time) };
    if !(1..=12).contains(&time.hour()) {
        return None;
    }
    time.with_hour(time.hour() % 12 + if half == "pm" { 12 } else { 0 })
}

/// The offset of a zone in minutes, and whether it is written with a minus: `+0100`, `-05:00`,
/// `gmt+0100`, `cet`.
fn zone_of(word: &str) -> Option<(i16, bool)> {
    if let Some((_, minutes)) = ZONES.iter().find(|(name, _)| *name == word) {
        return Some((*minutes, false));
    }
    let offset = ["gmt", "utc"].iter().find_map(|name| word.strip_prefix(name)).unwrap_or(word);
    let minutes = numeric_zone(&offset.replacen(':', "", 1))?;
    Some((minutes, offset.starts_with('-')))
}

fn is_word(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_alphabetic() || c == '/' || c == '_')
}

/// A text without what stands in round brackets.
fn without_comments(text: &str) -> String {
    let mut depth = 0_usize;
    let outside = text.chars().filter(|c| {
        let before = depth;
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        before == 0 && depth == 0
    });
    outside.collect()
}

fn moment(local: NaiveDateTime, minutes: i16, written: Option<i16>) -> Option<Moment> {
    // A leap second is the one before it.
    let seconds = local.and_utc().timestamp() - i64::from(minutes) * 60;
    let at = Timestamp::from_seconds(seconds).ok()?;
    Some(Moment { at, offset: written.and_then(UtcOffset::from_minutes) })
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The moment in what follows `From ` in a mailbox: `jan@example.nl Fri Feb 22 15:06:23 2008`,
/// with an offset such as `+0200` anywhere after the time, or as in a header; without one it is UTC.
pub(super) fn of_envelope(text: &str) -> Option<Moment> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let clock = words.iter().position(|word| clock(word).is_some())?;
    let time = clock_at(&words, clock)?;
    let rest = words.get(clock + 1..)?;
    if let Some((found, _)) = of_words(words.get(1..)?.join(" ").as_str())
        .filter(|_| words.get(clock.saturating_sub(1)).is_some_and(|word| word.len() == 4))
    {
        return Some(found);
    }
    let month = words.get(clock.checked_sub(2)?)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|name| *name == month)?;
    let day = words.get(clock.checked_sub(1)?)?.parse().ok()?;
    let year = rest.iter().find(|word| word.len() == 4 && is_digits(word))?.parse().ok()?;
    let offset = rest.iter().find_map(|word| numeric_zone(word));
    let day = NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()? + 1, day)?;
    moment(day.and_time(time), offset.unwrap_or(0), offset)
}

fn clock_at(words: &[&str], position: usize) -> Option<NaiveTime> {
    words.get(position).copied().and_then(clock)
}

fn clock(word: &str) -> Option<NaiveTime> {
    ["%H:%M:%S%.f", "%H:%M", "%H.%M.%S"]
        .iter()
        .find_map(|form| NaiveTime::parse_from_str(word, form).ok())
}

fn is_digits(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn numeric_zone(word: &str) -> Option<i16> {
    let (sign, digits) = match word.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let number: i16 =
        Some(digits).filter(|text| text.len() == 4 && is_digits(text))?.parse().ok()?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> String {
        shown(of_header(text))
    }

    fn shown(moment: Option<Moment>) -> String {
        let offset = |moment: Moment| moment.offset.map(|offset| format!(" {offset}"));
        moment.map_or_else(String::new, |moment| {
            format!("{}{}", moment.at, offset(moment).unwrap_or_default())
        })
    }

    #[test]
    fn a_wrong_day_of_the_week_does_not_matter() {
        assert_eq!(header("Tue, 20 Apr 2020 04:20:20 -0400"), "2020-04-20T08:20:20Z -04:00");
    }

    #[test]
    fn old_and_odd_dates_are_read() {
        assert_eq!(header("21 Nov 97 09:55 CST (said)"), "1997-11-21T15:55:00Z -06:00");
        assert_eq!(header("Mon, 2 Mar 2026 09:00:60 +0000"), "2026-03-02T09:00:59Z +00:00");
        assert_eq!(header("Mon, 2 Mar 2026 09:00:00 -0000"), "2026-03-02T09:00:00Z");
        assert_eq!(header("Mon, 31 Feb 2026 09:00:00 +0000"), "");
        assert_eq!(header("yesterday"), "");
        for zone in ["+0100", "GMT+0100", "UTC+0100", "CET", "+0100 (CET)"] {
            let date = header(&format!("Mon, 2 Mar 2026 09:00:00 {zone}"));
            assert_eq!(date, "2026-03-02T08:00:00Z +01:00", "{zone}");
        }
        assert_eq!(header("2026-03-02T09:00:00+01:00"), "2026-03-02T08:00:00Z +01:00");
    }

    #[test]
    fn every_word_of_a_date_counts() {
        for (text, expected) in [
            ("Mon, 2 Mar 2026 9:12:31 PM +0100", "2026-03-02T20:12:31Z +01:00"),
            ("Mon, 2 Mar 2026 12:12:31 AM +0100", "2026-03-01T23:12:31Z +01:00"),
            ("Mon, 2 Mar 2026 13:12:31 PM +0100", ""),
            ("Mon, 2 Mar 2026 09.12.31 +0100", "2026-03-02T08:12:31Z +01:00"),
            ("Mon, 2 Mar 2026 09:12:31 +9900", ""),
            ("Mon, 2 Mar 2026 09:12:31 +0100 soon-ish", ""),
            ("2 Mar 126 09:12:31 +0000", "2026-03-02T09:12:31Z +00:00"),
            ("2 Mar 0026 09:12:31 +0000", ""),
            ("Mon, 2 Mar 2026 09:12:31 JST", "2026-03-02T00:12:31Z +09:00"),
            ("Mon, 2 Mar 2026 09:12:31 MEZ", "2026-03-02T08:12:31Z +01:00"),
            ("Mon, 2 Mar 2026 09:12:31 IST", "2026-03-02T09:12:31Z"),
            ("Mon, 2 Mar 2026 09:12:31", "2026-03-02T09:12:31Z"),
            ("Mon, 2 March 2026 09:12:31 +0100", "2026-03-02T08:12:31Z +01:00"),
            ("Mon Mar  2 09:12:31 2026", "2026-03-02T09:12:31Z"),
            ("Mon Mar  2 09:12:31 CET 2026", "2026-03-02T08:12:31Z +01:00"),
            ("Monday, 2-Mar-26 09:12:31 UTC", "2026-03-02T09:12:31Z +00:00"),
            (
                "Mon Mar 02 2026 09:12:31 GMT-0700 (Mountain Standard Time)",
                "2026-03-02T16:12:31Z -07:00",
            ),
            ("Mon, 2 Mar 2026 09:12:31 +01:00", "2026-03-02T08:12:31Z +01:00"),
            ("2026-03-02 09:12:31", "2026-03-02T09:12:31Z"),
            ("ma, 2 mrt 2026 09:12:31 +0100", ""),
        ] {
            assert_eq!(header(text), expected, "{text}");
        }
    }

    #[test]
    fn the_line_of_a_mailbox_carries_a_date() {
        let at = |text| shown(of_envelope(text));
        assert_eq!(
            at("user@domain  Fri Feb 22 23:00:00 2008 +0200"),
            "2008-02-22T21:00:00Z +02:00"
        );
        assert_eq!(at("user@domain  Fri Feb 22 15:06:23 2008"), "2008-02-22T15:06:23Z");
        assert_eq!(at("1781@xxx Thu Jan 01 00:00:00 +0000 2026"), "2026-01-01T00:00:00Z +00:00");
        assert_eq!(at("x Mon, 2 Mar 2026 09:12:31 +0100"), "2026-03-02T08:12:31Z +01:00");
        assert_eq!(at("here on, all goes well"), "");
    }
}
