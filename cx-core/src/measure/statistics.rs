//! The only place where whole numbers become fractions: shares, means and their intervals.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::result::Interval;

/// The 97.5 % point of the normal distribution: two-sided 95 %.
pub const Z: f64 = 1.959_963_984_540_054;

/// The level of every interval.
pub const LEVEL: f64 = 0.95;

/// Half, and what a product of fractions that is half may be off: far below what one wait among
/// 2^29 changes.
const HALF: f64 = 0.5 + 1e-9;

/// Fewer waits than this hold no interval of their median.
const FEWEST: usize = 5;

/// A count as a fraction. Exact up to 2^53.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "counts stay far below 2^53"
)]
pub const fn real(count: u64) -> f64 {
    count as f64
}

/// A whole number as a fraction. Exact up to 2^53.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "seconds and scores stay far below 2^53"
)]
pub const fn signed(number: i64) -> f64 {
    number as f64
}

/// Wilson's interval of a share of `hits` among `n`; `None` for n = 0.
///
/// Source: Wilson 1927. With z the 97.5 % point: (k + z²/2 ± z √(k(n-k)/n + z²/4)) / (n + z²),
/// exactly 0 at k = 0 and 1 at k = n.
pub fn wilson(hits: u64, n: u64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let (k, m) = (real(hits.min(n)), real(n));
    let centre = k + Z * Z / 2.0;
    let spread = Z * (k * (m - k) / m + Z * Z / 4.0).sqrt();
    let scale = m + Z * Z;
    let low = if hits == 0 { 0.0 } else { (centre - spread) / scale };
    let high = if hits >= n { 1.0 } else { (centre + spread) / scale };
    Some(Interval { low, high: Some(high), level: LEVEL, method: "Wilson" })
}

/// The mean of some numbers; `None` for none.
pub fn mean(numbers: &[f64]) -> Option<f64> {
    if numbers.is_empty() {
        return None;
    }
    Some(numbers.iter().sum::<f64>() / length(numbers))
}

fn length<T>(items: &[T]) -> f64 {
    real(u64::try_from(items.len()).unwrap_or(u64::MAX))
}

/// Student's interval of a mean; `None` for fewer than two numbers, and where all are the same: they
/// do not tell how far others may lie.
pub fn t_interval(numbers: &[f64]) -> Option<Interval> {
    let mean = mean(numbers)?;
    let n = length(numbers);
    // Compared by themselves: what is computed of them is rounded.
    let first = numbers.first()?;
    if numbers.iter().all(|number| number.total_cmp(first).is_eq()) {
        return None;
    }
    let sum: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    let error = (sum / (n - 1.0) / n).sqrt();
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(0.975);
    let method = "Student's t";
    Some(Interval { low: mean - t * error, high: Some(mean + t * error), level: LEVEL, method })
}

/// The middle of some numbers; of an even count the mean of the two in the middle.
pub fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    sorted.get(half.checked_sub(1)?).map(|lower| f64::midpoint(*lower, upper))
}

/// How long something took, or has taken so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wait {
    /// In seconds.
    pub seconds: f64,
    /// Whether it is over; else it is censored: it will take longer than this.
    pub is_over: bool,
}

/// The Kaplan–Meier median of waits, some of which are not over, and its interval
/// (Brookmeyer and Crowley 1982, on the log-log scale). `None` where fewer than half came to an
/// end. The interval has no upper end where the waits are too few to tell, and there is none of
/// fewer than five: the median lies below the smallest of `n` waits with a chance of 1 in 2^`n`.
pub fn survival_median(waits: &[Wait]) -> Option<(f64, Option<Interval>)> {
    let mut sorted = waits.to_vec();
    sorted.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let mut at_risk = length(&sorted);
    let (mut survival, mut greenwood) = (1.0_f64, 0.0_f64);
    let (mut median, mut low, mut high) = (None, None, None);
    let mut rest = sorted.as_slice();
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|wait| wait.seconds <= first.seconds).count();
        let (now, later) = rest.split_at(same);
        let over = now.iter().filter(|wait| wait.is_over).count();
        let ended = real(u64::try_from(over).unwrap_or(u64::MAX));
        if ended > 0.0 {
            survival *= 1.0 - ended / at_risk;
            if at_risk > ended {
                greenwood += ended / (at_risk * (at_risk - ended));
            }
            let bound = |sign: f64| match survival {
                at if at >= 1.0 => 1.0,
                at => at.powf((sign * Z * greenwood.sqrt() / at.ln()).exp()),
            };
            let reached = |found: Option<f64>, at: f64| {
                found.or_else(|| (at <= HALF).then_some(first.seconds))
            };
            median = reached(median, survival);
            if survival > 0.0 {
                // The curve that falls first bounds the median from below.
                low = reached(low, bound(1.0).min(bound(-1.0)));
                high = reached(high, bound(1.0).max(bound(-1.0)));
            } else {
                // The last wait is over: how much longer others take, it does not tell.
                low = reached(low, 0.0);
            }
        }
        at_risk -= length(now);
        rest = later;
    }
    let median = median?;
    let method = "Brookmeyer-Crowley, log-log";
    let interval = Interval { low: low.unwrap_or(median), high, level: LEVEL, method };
    Some((median, Some(interval).filter(|_| waits.len() >= FEWEST)))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wilson_holds_its_ends() {
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(0, 10).unwrap().low, 0.0);
        assert_eq!(wilson(10, 10).unwrap().high, Some(1.0));
        // statsmodels: proportion_confint(15, 20, method="wilson")
        let interval = wilson(15, 20).unwrap();
        assert!((interval.low - 0.531_299_122_381_255_9).abs() < 1e-12, "{interval:?}");
        assert!((interval.high.unwrap() - 0.888_138_298_592_333_5).abs() < 1e-12, "{interval:?}");
    }

    #[test]
    fn the_interval_of_a_mean_needs_two_numbers() {
        assert_eq!(t_interval(&[5.0]), None);
        assert_eq!(t_interval(&[5.0, 5.0, 5.0]), None);
        assert_eq!(t_interval(&[0.1, 0.1, 0.1]), None);
        // scipy: stats.t.interval(0.95, 4, loc=5.2, scale=stats.sem([6, 8, 2, 1, 9]))
        let interval = t_interval(&[6.0, 8.0, 2.0, 1.0, 9.0]).unwrap();
        assert!((interval.low - 0.775_074_6).abs() < 1e-6, "{interval:?}");
        assert!((interval.high.unwrap() - 9.624_925_4).abs() < 1e-6, "{interval:?}");
    }

    #[test]
    fn of_an_even_number_of_waits_half_are_over_at_the_lower_one_in_the_middle() {
        for n in (2..=2_000).step_by(2) {
            let waits: Vec<Wait> =
                (1..=n).map(|s| Wait { seconds: f64::from(s), is_over: true }).collect();
            assert_eq!(survival_median(&waits).unwrap().0, f64::from(n / 2), "n = {n}");
        }
    }

    #[test]
    fn a_wait_that_goes_on_moves_the_median_up() {
        let wait = |seconds: f64, is_over| Wait { seconds, is_over };
        let over: Vec<Wait> = (1..=9).map(|s| wait(f64::from(s), true)).collect();
        assert_eq!(survival_median(&over).unwrap().0, 5.0);
        let mut open = over.clone();
        open[0].is_over = false;
        open[1].is_over = false;
        assert_eq!(survival_median(&open).unwrap().0, 6.0);
        let none: Vec<Wait> = over.iter().map(|it| wait(it.seconds, false)).collect();
        assert_eq!(survival_median(&none), None);
    }

    #[test]
    fn the_median_of_waits_is_that_of_another_library() {
        // lifelines 0.30: KaplanMeierFitter().fit(t, e), median_survival_times of its interval. Its
        // upper end is the last wait, 90, where the curve falls to nought; R's survfit has none.
        let seconds = [5, 8, 12, 12, 20, 33, 40, 41, 55, 60, 75, 90];
        let open = [12, 40, 75];
        let mut open_left = open.to_vec();
        let waits: Vec<Wait> = seconds
            .into_iter()
            .rev()
            .map(|at| {
                let is_open = open_left.last() == Some(&at);
                if is_open {
                    open_left.pop();
                }
                Wait { seconds: f64::from(at), is_over: !is_open }
            })
            .collect();
        let (median, interval) = survival_median(&waits).unwrap();
        let interval = interval.unwrap();
        assert_eq!((median, interval.low, interval.high), (41.0, 8.0, None));
    }

    #[test]
    fn an_interval_of_few_waits_does_not_end_with_the_last_of_them() {
        let over = |n: u32| -> Vec<Wait> {
            (1..=n).map(|s| Wait { seconds: f64::from(s), is_over: true }).collect()
        };
        for n in 1..5 {
            assert_eq!(survival_median(&over(n)).unwrap().1, None, "n = {n}");
        }
        let five = survival_median(&over(5)).unwrap().1.unwrap();
        assert_eq!((five.low, five.high), (1.0, None));
        // The same formula, written down in Python.
        let twelve = survival_median(&over(12)).unwrap().1.unwrap();
        assert_eq!((twelve.low, twelve.high), (2.0, Some(10.0)));
        // All at once: the median is no sooner.
        let same = survival_median(&[Wait { seconds: 3.0, is_over: true }; 9]).unwrap().1.unwrap();
        assert_eq!((same.low, same.high), (3.0, None));
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_share(n in 1_u64..500, share in 0.0_f64..=1.0) {
            #[expect(clippy::as_conversions, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a test's share of a small count")]
            let hits = (real(n) * share) as u64;
            let interval = wilson(hits, n).unwrap();
            let point = real(hits) / real(n);
            prop_assert!(interval.low <= point && point <= interval.high.unwrap());
            prop_assert!(interval.low >= 0.0 && interval.high.unwrap() <= 1.0);
        }

        #[test]
        fn a_median_lies_in_its_interval(waits in proptest::collection::vec((0_i64..1000, any::<bool>()), 0..60)) {
            let waits: Vec<Wait> = waits
                .into_iter()
                .map(|(seconds, is_over)| Wait { seconds: signed(seconds), is_over })
                .collect();
            if let Some((median, Some(interval))) = survival_median(&waits) {
                prop_assert!(interval.low <= median);
                prop_assert!(interval.high.is_none_or(|high| median <= high));
            }
        }
    }
}
