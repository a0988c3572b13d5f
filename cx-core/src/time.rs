//! Time: instants in UTC to the microsecond, the offset they were written with, and lengths.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

/// Why a value is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// Not a date and time of RFC 3339.
    #[error("{text:?} is not a date and time like 2026-03-02T09:00:00+01:00")]
    Malformed {
        /// What was read.
        text: String,
    },
    /// A date and time without a zone or an offset names no instant.
    #[error("{text:?} has no offset: add Z or one like +01:00, or say which zone it is in")]
    NoOffset {
        /// What was read.
        text: String,
    },
    /// Before the year 0001 or after the year 9999.
    #[error("the instant lies outside the years 0001 to 9999")]
    OutOfRange,
    /// Not an offset of RFC 3339.
    #[error("{text:?} is not an offset like +01:00")]
    MalformedOffset {
        /// What was read.
        text: String,
    },
}

/// An instant: microseconds since 1970-01-01T00:00:00Z, between the years 0001 and 9999.
///
/// Written as RFC 3339 in UTC, with as many decimals (0, 3 or 6) as it needs.
///
/// ```
/// # use cx_core::time::Timestamp;
/// let at: Timestamp = "2026-03-02T09:00:00+01:00".parse()?;
/// assert_eq!(at.to_string(), "2026-03-02T08:00:00Z");
/// # Ok::<(), cx_core::time::TimeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The instant that many microseconds after the epoch (before it, if negative).
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] outside the years 0001 to 9999.
    pub fn from_micros(micros: i64) -> Result<Self, TimeError> {
        let instant = Self(micros);
        if (Self::MIN..=Self::MAX).contains(&instant) {
            Ok(instant)
        } else {
            Err(TimeError::OutOfRange)
        }
    }

    /// The instant that many seconds after the epoch.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] outside the years 0001 to 9999.
    pub fn from_seconds(seconds: i64) -> Result<Self, TimeError> {
        Self::from_micros(seconds.checked_mul(1_000_000).ok_or(TimeError::OutOfRange)?)
    }

    /// The instant that many milliseconds after the epoch.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`] outside the years 0001 to 9999.
    pub fn from_millis(millis: i64) -> Result<Self, TimeError> {
        Self::from_micros(millis.checked_mul(1_000).ok_or(TimeError::OutOfRange)?)
    }

    /// The instant and the offset that an RFC 3339 text was written with. The offset is `None`
    /// where the text says `Z`. Digits below the microsecond are cut off.
    ///
    /// # Errors
    /// [`TimeError::NoOffset`] where the text names no instant, [`TimeError::Malformed`] where it
    /// is no date and time.
    pub fn parse_with_offset(text: &str) -> Result<(Self, Option<UtcOffset>), TimeError> {
        if let Some(at) = written_here(text.as_bytes()) {
            return Ok((at, None));
        }
        let trimmed = text.trim();
        match DateTime::parse_from_rfc3339(trimmed) {
            Ok(at) => {
                let zulu = trimmed.ends_with(['Z', 'z']);
                let offset = (!zulu).then(|| UtcOffset::from_chrono(*at.offset()));
                Ok((Self::from_micros(at.timestamp_micros())?, offset))
            }
            Err(_) if is_naive(trimmed) => Err(TimeError::NoOffset { text: text.to_owned() }),
            Err(_) => Err(TimeError::Malformed { text: text.to_owned() }),
        }
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The instant as chrono's type.
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// The number of the UTC day: days since 1970-01-01.
    pub const fn utc_day(self) -> i64 {
        self.0.div_euclid(Micros::DAY.0)
    }

    /// The time from `earlier` to this instant; negative where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Micros {
        Micros(self.0 - earlier.0)
    }
}

/// An instant as it is written here: in UTC, with 0, 3 or 6 decimals. `None` says nothing: another
/// text may be an instant too.
fn written_here(text: &[u8]) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(19)?;
    let [y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', m0, m1, b':', s0, s1] =
        *date
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i64, |number, digit| {
            digit.is_ascii_digit().then(|| 10 * number + i64::from(digit - b'0'))
        })
    };
    let micros = match rest {
        b"Z" => 0,
        [b'.', decimals @ .., b'Z'] if decimals.len() == 3 => 1_000 * number(decimals)?,
        [b'.', decimals @ .., b'Z'] if decimals.len() == 6 => number(decimals)?,
        _ => return None,
    };
    let (year, month, day) = (number(&[y0, y1, y2, y3])?, number(&[mo0, mo1])?, number(&[d0, d1])?);
    let (hour, minute, second) = (number(&[h0, h1])?, number(&[m0, m1])?, number(&[s0, s1])?);
    // A leap second, and what is no date, is left to those who know the calendar.
    if year < 1 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    if civil_from_days(days) != (year, month, day) {
        return None;
    }
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(Timestamp(seconds * Micros::SECOND.0 + micros))
}

/// The number of the day 1970-01-01 is 0. After Howard Hinnant, *chrono-compatible low-level date
/// algorithms*: years begin in March, so that the day of the leap comes last.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + (if month <= 2 { 1 } else { 0 });
    (year, month, day)
}

fn is_naive(text: &str) -> bool {
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .any(|format| NaiveDateTime::parse_from_str(text, format).is_ok())
        || chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

impl From<DateTime<Utc>> for Timestamp {
    /// Instants outside the years 0001 to 9999 become the nearest one inside.
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_micros().clamp(Self::MIN.0, Self::MAX.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.utc_day());
        let micros = self.0.rem_euclid(Micros::DAY.0);
        let (seconds, micros) = (micros / Micros::SECOND.0, micros % Micros::SECOND.0);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |from: usize, to: usize, number: i64| {
            let mut left = number;
            for place in text.iter_mut().take(to).skip(from).rev() {
                *place = b'0' + u8::try_from(left % 10).unwrap_or(0);
                left /= 10;
            }
        };
        put(0, 4, year);
        put(5, 7, month);
        put(8, 10, day);
        put(11, 13, hour);
        put(14, 16, minute);
        put(17, 19, second);
        put(20, 26, micros);
        let length = match (micros, micros % 1_000) {
            (0, _) => 19,
            (_, 0) => 23,
            (_, _) => 26,
        };
        if let Some(end) = text.get_mut(length) {
            *end = b'Z';
        }
        let written = text.get(..=length).and_then(|text| std::str::from_utf8(text).ok());
        f.write_str(written.unwrap_or_default())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Ok(Self::parse_with_offset(text)?.0)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Sub for Timestamp {
    type Output = Micros;

    fn sub(self, earlier: Self) -> Micros {
        self.since(earlier)
    }
}

/// Stays inside the years 0001 to 9999.
impl Add<Micros> for Timestamp {
    type Output = Self;

    fn add(self, length: Micros) -> Self {
        Self(self.0.saturating_add(length.0).clamp(Self::MIN.0, Self::MAX.0))
    }
}

/// Stays inside the years 0001 to 9999.
impl Sub<Micros> for Timestamp {
    type Output = Self;

    fn sub(self, length: Micros) -> Self {
        Self(self.0.saturating_sub(length.0).clamp(Self::MIN.0, Self::MAX.0))
    }
}

/// How far local time was ahead of UTC where an instant was written, in whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UtcOffset(i16);

impl UtcOffset {
    /// Minutes east of Greenwich; `None` for a day or more.
    pub const fn from_minutes(minutes: i16) -> Option<Self> {
        if minutes > -24 * 60 && minutes < 24 * 60 { Some(Self(minutes)) } else { None }
    }

    /// Minutes east of Greenwich.
    pub const fn as_minutes(self) -> i16 {
        self.0
    }

    fn from_chrono(offset: FixedOffset) -> Self {
        Self(i16::try_from(offset.local_minus_utc() / 60).unwrap_or(0))
    }
}

impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        let minutes = self.0.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl FromStr for UtcOffset {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let malformed = || TimeError::MalformedOffset { text: text.to_owned() };
        let (sign, rest) = match text.split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            _ => return Err(malformed()),
        };
        let (hours, minutes) = rest.split_once(':').ok_or_else(malformed)?;
        let number = |part: &str, limit: i16| {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<i16>().ok().filter(|number| digits && *number < limit)
        };
        let hours = number(hours, 24).ok_or_else(malformed)?;
        let minutes = number(minutes, 60).ok_or_else(malformed)?;
        Ok(Self(sign * (hours * 60 + minutes)))
    }
}

impl Serialize for UtcOffset {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcOffset {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A length of time in microseconds; may be negative.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(i64);

impl Micros {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// One second.
    pub const SECOND: Self = Self(1_000_000);
    /// Sixty seconds.
    pub const MINUTE: Self = Self(60 * Self::SECOND.0);
    /// Sixty minutes.
    pub const HOUR: Self = Self(60 * Self::MINUTE.0);
    /// Twenty-four hours.
    pub const DAY: Self = Self(24 * Self::HOUR.0);

    /// That many microseconds.
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    /// That many times this length; stays inside what the type holds.
    #[must_use]
    pub const fn times(self, factor: i64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// The length in microseconds.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The length in whole seconds, rounded towards zero.
    pub const fn as_seconds(self) -> i64 {
        self.0 / Self::SECOND.0
    }
}

/// Stays inside what the type holds.
impl Add for Micros {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// As people say it: `3 min`, `2 h 5 min`, `4 d 1 h`; the two largest units, rounded down.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let seconds = self.0.unsigned_abs() / Self::SECOND.0.unsigned_abs();
        let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
        let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{sign}{rest} s"),
            (0, 0, _) => write!(f, "{sign}{minutes} min"),
            (0, _, 0) => write!(f, "{sign}{hours} h"),
            (0, _, _) => write!(f, "{sign}{hours} h {minutes} min"),
            (_, 0, _) => write!(f, "{sign}{days} d"),
            (_, _, _) => write!(f, "{sign}{days} d {hours} h"),
        }
    }
}

/// A duration in a document, never negative: `30d`, `24h`, `90m`, `45s`, `500us`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span(pub Micros);

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Span {
    const UNITS: [(&str, Micros); 5] = [
        ("d", Micros::DAY),
        ("h", Micros::HOUR),
        ("m", Micros::MINUTE),
        ("s", Micros::SECOND),
        ("us", Micros::new(1)),
    ];
}

/// In the largest unit of which it is a whole number.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let whole = Self::UNITS.into_iter().find(|(_, unit)| micros % unit.as_micros() == 0);
        let (name, unit) = whole.unwrap_or(("us", Micros::new(1)));
        write!(f, "{}{name}", micros / unit.as_micros())
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let problem = || SpanError { text: text.to_owned() };
        let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let (_, unit) = Self::UNITS
            .into_iter()
            .find(|(name, _)| text.strip_prefix(digits) == Some(name))
            .ok_or_else(problem)?;
        let number: u64 = digits.trim().parse().map_err(|_| problem())?;
        let micros = i64::try_from(number).ok().and_then(|n| n.checked_mul(unit.as_micros()));
        micros.map(|micros| Self(Micros::new(micros))).ok_or_else(problem)
    }
}

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no duration such as 30d or 24h")]
pub struct SpanError {
    /// What was read.
    pub text: String,
}

/// As text; a whole number is read as microseconds.
impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Micros(i64),
        }
        match Written::deserialize(from)? {
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
            Written::Micros(micros) if micros < 0 => {
                Err(serde::de::Error::custom(SpanError { text: micros.to_string() }))
            }
            Written::Micros(micros) => Ok(Self(Micros::new(micros))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_instant_is_written_and_read_as_the_calendar_has_it(
            micros in Timestamp::MIN.0..=Timestamp::MAX.0,
            unit in proptest::sample::select(&[1_i64, 1_000, 1_000_000, 86_400_000_000][..]),
        ) {
            let at = Timestamp::from_micros((micros / unit * unit).max(Timestamp::MIN.0)).unwrap();
            let written = at.to_chrono().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            prop_assert_eq!(&at.to_string(), &written);
            prop_assert_eq!(written_here(written.as_bytes()), Some(at));
        }

        #[test]
        fn what_is_read_at_once_is_what_the_calendar_says(
            text in "[0-9]{3}[0-9][-][0-2][0-9][-][0-4][0-9]T[0-3][0-9]:[0-7][0-9]:[0-7][0-9]([.][0-9]{2,7})?Z",
        ) {
            if let Some(at) = written_here(text.as_bytes()) {
                let known = DateTime::parse_from_rfc3339(&text).unwrap();
                prop_assert_eq!(at.as_micros(), known.timestamp_micros());
            }
        }
    }

    #[test]
    fn the_first_and_the_last_instant_are_written_like_all_others() {
        for (at, text) in [
            (Timestamp::MIN, "0001-01-01T00:00:00Z"),
            (Timestamp::MAX, "9999-12-31T23:59:59.999999Z"),
            (Timestamp(951_782_400_000_000), "2000-02-29T00:00:00Z"),
            (Timestamp(-1_000), "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(at.to_string(), text);
            assert_eq!(text.parse(), Ok(at));
        }
        assert!("2026-02-29T00:00:00Z".parse::<Timestamp>().is_err());
    }

    #[test]
    fn the_original_offset_is_kept_apart() {
        let (at, offset) = Timestamp::parse_with_offset("2026-03-02T09:00:00+01:00").unwrap();
        assert_eq!(at.to_string(), "2026-03-02T08:00:00Z");
        assert_eq!(offset.unwrap().to_string(), "+01:00");
        assert_eq!(Timestamp::parse_with_offset("2026-03-02T08:00:00Z").unwrap().1, None);
    }

    #[test]
    fn a_time_without_an_offset_names_no_instant() {
        for text in ["2026-03-02T09:00:00", "2026-03-02 09:00:00", "2026-03-02"] {
            let error = text.parse::<Timestamp>().unwrap_err();
            assert!(matches!(error, TimeError::NoOffset { .. }), "{text}: {error}");
        }
        assert!(matches!("yesterday".parse::<Timestamp>(), Err(TimeError::Malformed { .. })));
    }

    #[test]
    fn lengths_read_as_people_say_them() {
        let said = |seconds: i64| Micros::SECOND.times(seconds).to_string();
        assert_eq!(
            [said(5), said(65), said(7_500), said(86_400), said(90_000), said(-60)],
            ["5 s", "1 min", "2 h 5 min", "1 d", "1 d 1 h", "-1 min"]
        );
    }

    #[test]
    fn a_span_that_time_cannot_hold_is_none() {
        for text in ["106751992d", "000000123400000d", "-1d", "1.5h", "d", "5", "5 us 1", "5ms"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        assert_eq!("90m".parse(), Ok(Span(Micros::MINUTE.times(90))));
        assert!(serde_json::from_str::<Span>("-1").is_err());
    }

    proptest! {
        #[test]
        fn a_span_reads_back_what_it_writes(micros in 0..i64::MAX, seconds in 0..10_000_000_i64) {
            for span in [Span(Micros::new(micros)), Span(Micros::SECOND.times(seconds))] {
                prop_assert_eq!(span.to_string().parse(), Ok(span));
            }
        }

        #[test]
        fn an_instant_reads_back_what_it_writes(micros in Timestamp::MIN.0..=Timestamp::MAX.0) {
            let at = Timestamp::from_micros(micros).unwrap();
            prop_assert_eq!(at.to_string().parse(), Ok(at));
        }

        #[test]
        fn an_offset_reads_back_what_it_writes(minutes in -1439_i16..1440) {
            let offset = UtcOffset::from_minutes(minutes).unwrap();
            prop_assert_eq!(offset.to_string().parse(), Ok(offset));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,40}") {
            drop(text.parse::<Timestamp>());
            drop(text.parse::<UtcOffset>());
        }
    }
}
