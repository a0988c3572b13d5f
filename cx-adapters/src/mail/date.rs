//! When a mail was written, as well as it can be told.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use cx_core::event::TimeOrigin;
use cx_core::time::{Micros, Timestamp, UtcOffset};
use mail_parser::DateTime;

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
/// `Date`, unless it is more than a day off from the last server's `Received`; then that one;
/// then the mailbox's `From ` line; then the time of import.
pub(super) fn of(
    headers: Headers<'_>,
    envelope: Option<Moment>,
    options: &Options,
) -> Result<(Moment, TimeOrigin), RecordError> {
    let written = headers.raw("date").into_iter().find_map(|text| of_header(&text));
    let received = headers.raw("received").into_iter().find_map(|text| {
        let (_, date) = text.rsplit_once(';')?;
        of_header(date)
    });
    match (written, received) {
        (Some(written), Some(received)) if is_far(written, received) => {
            Ok((received, TimeOrigin::Received))
        }
        (Some(written), _) => Ok((written, TimeOrigin::Event)),
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

/// The moment in a `Date` header. A wrong day of the week does not matter.
pub(super) fn of_header(text: &str) -> Option<Moment> {
    of_mail(&with_zone(text)).or_else(|| {
        // Some programs write the date as other programs read it.
        let read = crate::json::instant(text).ok()?;
        Some(Moment { at: read.at, offset: read.offset })
    })
}

/// Zones that are written by name and that the standard does not know.
const ZONES: &[(&str, &str)] = &[
    (" WEST", " +0100"),
    (" BST", " +0100"),
    (" CET", " +0100"),
    (" CEST", " +0200"),
    (" EET", " +0200"),
    (" EEST", " +0300"),
];

/// The date with its zone as an offset: `GMT+0100` is `+0100`, `CET` is `+0100`.
fn with_zone(text: &str) -> String {
    let text = text.trim();
    for (name, offset) in ZONES {
        if let Some(date) = text.strip_suffix(name) {
            return format!("{date}{offset}");
        }
    }
    ["GMT+", "GMT-", "UTC+", "UTC-"].iter().fold(text.to_owned(), |text, name| {
        text.replace(name, name.trim_start_matches(['G', 'M', 'T', 'U', 'C']))
    })
}

fn of_mail(text: &str) -> Option<Moment> {
    let read = DateTime::parse_rfc822(&with_seconds(text))?;
    let day = NaiveDate::from_ymd_opt(read.year.into(), read.month.into(), read.day.into())?;
    // A leap second is the one before it.
    let time = NaiveTime::from_hms_opt(
        read.hour.into(),
        read.minute.into(),
        u32::from(read.second).min(59),
    )?;
    let minutes = i16::from(read.tz_hour) * 60 + i16::from(read.tz_minute);
    // `-0000` says that the offset is not known (RFC 5322, 3.3).
    let is_unknown = minutes == 0 && read.tz_before_gmt;
    let minutes = if read.tz_before_gmt { -minutes } else { minutes };
    moment(day.and_time(time), minutes, if is_unknown { None } else { Some(minutes) })
}

/// The text as the reader wants it: the seconds, which may be missing, are there, and the line
/// ends.
fn with_seconds(text: &str) -> String {
    let words = text.split_whitespace().map(|word| match word.split_once(':') {
        Some((hour, minute)) if is_digits(hour) && is_digits(minute) => format!("{word}:00"),
        _ => word.to_owned(),
    });
    let mut line = words.collect::<Vec<_>>().join(" ");
    line.push('\n');
    line
}

fn moment(local: NaiveDateTime, minutes: i16, written: Option<i16>) -> Option<Moment> {
    let seconds = local.and_utc().timestamp() - i64::from(minutes) * 60;
    let at = Timestamp::from_seconds(seconds).ok()?;
    Some(Moment { at, offset: written.and_then(UtcOffset::from_minutes) })
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The moment in what follows `From ` in a mailbox: `jan@example.nl Fri Feb 22 15:06:23 2008`,
/// with an offset such as `+0200` anywhere after the time; without one it is UTC.
pub(super) fn of_envelope(text: &str) -> Option<Moment> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let clock = words.iter().position(|word| clock(word).is_some())?;
    let time = clock_at(&words, clock)?;
    let month = words.get(clock.checked_sub(2)?)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|name| *name == month)?;
    let day = words.get(clock.checked_sub(1)?)?.parse().ok()?;
    let rest = words.get(clock + 1..)?;
    let year = rest.iter().find(|word| word.len() == 4 && is_digits(word))?.parse().ok()?;
    let offset = rest.iter().find_map(|word| numeric_zone(word));
    let day = NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()? + 1, day)?;
    moment(day.and_time(time), offset.unwrap_or(0), offset)
}

fn clock_at(words: &[&str], position: usize) -> Option<NaiveTime> {
    words.get(position).copied().and_then(clock)
}

fn clock(word: &str) -> Option<NaiveTime> {
    ["%H:%M:%S", "%H:%M"].iter().find_map(|form| NaiveTime::parse_from_str(word, form).ok())
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
    Some(sign * (number / 100 * 60 + number % 100))
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
    fn the_line_of_a_mailbox_carries_a_date() {
        let at = |text| shown(of_envelope(text));
        assert_eq!(
            at("user@domain  Fri Feb 22 23:00:00 2008 +0200"),
            "2008-02-22T21:00:00Z +02:00"
        );
        assert_eq!(at("user@domain  Fri Feb 22 15:06:23 2008"), "2008-02-22T15:06:23Z");
        assert_eq!(at("1781@xxx Thu Jan 01 00:00:00 +0000 2026"), "2026-01-01T00:00:00Z +00:00");
        assert_eq!(at("here on, all goes well"), "");
    }
}
