//! Scores: NPS, CSAT and CES, each on its own scale.

use std::collections::{BTreeMap, BTreeSet};

use super::result::{Figure, Interval, Measured, Unit};
use super::statistics::{LEVEL, Z, mean, real, t_interval, wilson};
use crate::event::feedback::{GoodEnd, Scale, Survey};
use crate::event::{Event, Kind};
use crate::feedback::Question;
use crate::ids::EventKey;
use crate::time::Timestamp;

/// An answer to a survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who answered: a customer's id, or whatever tells people apart.
    pub respondent: String,
    /// What makes answers of one customer to the same question one: the source, and the source's
    /// id, else what it is about; the event's key where nothing does.
    pub question: (String, String),
    /// When.
    pub at: Timestamp,
    /// Of answers at one instant the source's own order.
    pub seq: Option<u64>,
    /// The event.
    pub event: EventKey,
    /// What was asked.
    pub survey: Survey,
    /// The answer.
    pub score: Option<i32>,
    /// What could be answered.
    pub scale: Option<Scale>,
}

impl Answer {
    fn timeline_key(&self) -> (Timestamp, Option<u64>, &EventKey) {
        (self.at, self.seq, &self.event)
    }

    /// The answer that an event is; `None` for other events.
    pub fn of(respondent: impl Into<String>, event: &Event) -> Option<Self> {
        let Kind::FeedbackAnswered(answered) = &event.kind else { return None };
        Some(Self {
            respondent: respondent.into(),
            question: Question::of(event, answered).source_and_name(),
            at: event.occurred_at,
            seq: event.seq,
            event: event.key.clone(),
            survey: answered.survey,
            score: answered.score,
            scale: answered.scale,
        })
    }
}

/// Which of a customer's answers count. An answer that was changed counts once, as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Selection {
    /// All.
    #[default]
    All,
    /// The latest.
    Latest,
    /// The first.
    First,
}

impl Selection {
    const fn name(self) -> &'static str {
        match self {
            Self::All => "all answers",
            Self::Latest => "the latest answer of each customer",
            Self::First => "the first answer of each customer",
        }
    }
}

/// The answers on one scale, and why the others are left out.
fn select(
    answers: &[Answer],
    survey: Survey,
    scale: Scale,
    selection: Selection,
    measured: &mut Measured,
) -> Vec<i32> {
    let (past, future): (Vec<&Answer>, Vec<&Answer>) = answers
        .iter()
        .filter(|answer| answer.survey == survey)
        .partition(|answer| answer.at <= measured.as_of);
    for _ in future {
        measured.exclude("after the instant of asking");
    }
    // The answer that stands is the latest, also where it is one that does not count.
    let mut questions: BTreeMap<(&str, &(String, String)), &Answer> = BTreeMap::new();
    for answer in past {
        let place = (answer.respondent.as_str(), &answer.question);
        let stands = questions.entry(place).or_insert(answer);
        if !std::ptr::eq(*stands, answer) {
            measured.exclude("changed later");
            if stands.timeline_key() < answer.timeline_key() {
                *stands = answer;
            }
        }
    }
    let mut kept: Vec<&Answer> = Vec::new();
    for answer in questions.into_values() {
        match why_not(answer, scale) {
            Some(reason) => measured.exclude(reason),
            None => kept.push(answer),
        }
    }
    kept.sort_by(|a, b| a.timeline_key().cmp(&b.timeline_key()));
    if selection == Selection::Latest {
        kept.reverse();
    }
    let mut respondents: BTreeSet<&str> = BTreeSet::new();
    let mut scores = Vec::new();
    for answer in kept {
        if selection != Selection::All && !respondents.insert(&answer.respondent) {
            measured.exclude("another answer of the same customer");
            continue;
        }
        scores.extend(answer.score);
    }
    scores.sort_unstable();
    measured.parameters.insert("answers", selection.name().to_owned());
    let direction = match scale.good {
        GoodEnd::High => "high is good",
        GoodEnd::Low => "low is good",
    };
    measured.parameters.insert("scale", format!("{} to {}, {direction}", scale.min, scale.max));
    measured.n = count(&scores, |_| true);
    scores
}

/// Why an answer does not count on a scale.
fn why_not(answer: &Answer, scale: Scale) -> Option<&'static str> {
    let Some(score) = answer.score else { return Some("without a score") };
    // Likelihood to recommend has one scale only.
    let known = (answer.survey == Survey::Nps).then_some(Nps::SCALE);
    match answer.scale.or(known) {
        None => Some("without a scale"),
        Some(other) if other.good != scale.good => Some("on a scale with the other good end"),
        Some(other) if other != scale => Some("on another scale"),
        Some(_) if score < scale.min || score > scale.max => Some("outside the scale"),
        Some(_) => None,
    }
}

fn count(scores: &[i32], wanted: impl Fn(i32) -> bool) -> u64 {
    scores.iter().fold(0, |count, score| count + u64::from(wanted(*score)))
}

fn share(hits: u64, n: u64) -> Option<Figure> {
    let interval = wilson(hits, n);
    (n > 0).then(|| Figure { value: real(hits) / real(n), interval })
}

/// Which interval of the NPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NpsInterval {
    /// Three quarters of an answer are added to promoters and detractors each, three to all.
    /// Source: Rocks 2016.
    #[default]
    AdjustedWald,
    /// The plain one: of ten promoters it says 100 to 100.
    Wald,
    /// By constrained maximum likelihood. Source: Tango 1998, for a difference of two shares.
    Score,
}

/// The Net Promoter Score: 100 (P - D) / n, where P answered 9 or 10 and D 0 to 6. Source:
/// Reichheld 2003.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Nps {
    /// Which answers count.
    pub selection: Selection,
    /// Which interval.
    pub interval: NpsInterval,
}

impl Nps {
    /// The scale on which it is asked.
    pub const SCALE: Scale = Scale::high_is_good(0, 10);

    /// The score of these answers; those after `as_of`, and those on another scale, are left out.
    ///
    /// ```
    /// use cx_core::measure::Nps;
    /// let measured = Nps::default().of(&[], "2026-03-04T10:00:00Z".parse()?);
    /// assert_eq!((measured.n, measured.value), (0, None));
    /// # Ok::<(), cx_core::time::TimeError>(())
    /// ```
    pub fn of(&self, answers: &[Answer], as_of: Timestamp) -> Measured {
        let mut measured = Measured::new("nps", Unit::Points, as_of);
        let scores = select(answers, Survey::Nps, Self::SCALE, self.selection, &mut measured);
        let promoters = count(&scores, |score| score >= 9);
        let detractors = count(&scores, |score| score <= 6);
        let n = measured.n;
        measured.define(
            "Net Promoter Score: 100 (promoters - detractors) / n; promoters \
            answered 9 or 10, detractors 0 to 6.",
        );
        measured.counts.insert("promoters", promoters);
        measured.counts.insert("passives", n - promoters - detractors);
        measured.counts.insert("detractors", detractors);
        measured.value = nps(promoters, detractors, n).map(|value| Figure {
            value,
            interval: Some(match self.interval {
                NpsInterval::AdjustedWald => wald(promoters, detractors, n, 0.75, "adjusted Wald"),
                NpsInterval::Wald => wald(promoters, detractors, n, 0.0, "Wald"),
                NpsInterval::Score => score(promoters, detractors, n),
            }),
        });
        measured
    }
}

fn nps(promoters: u64, detractors: u64, n: u64) -> Option<f64> {
    (n > 0).then(|| 100.0 * (real(promoters) - real(detractors)) / real(n))
}

/// The mean of +1, 0 and -1 has the variance (P+D)/n - ((P-D)/n)², over n.
fn wald(
    promoters: u64,
    detractors: u64,
    answers: u64,
    added: f64,
    method: &'static str,
) -> Interval {
    let (p, d) = (real(promoters) + added, real(detractors) + added);
    let n = real(answers) + 4.0 * added;
    let difference = (p - d) / n;
    let error = (((p + d) / n - difference * difference) / n).max(0.0).sqrt();
    let end = |sign: f64| 100.0 * (difference + sign * Z * error).clamp(-1.0, 1.0);
    // Of few answers what is added may move it past the value itself, which it holds all the same.
    let value = nps(promoters, detractors, answers).unwrap_or_default();
    let (low, high) = (end(-1.0).min(value), end(1.0).max(value));
    Interval { low, high: Some(high), level: LEVEL, method }
}

/// Every θ with |NPS - θ| ≤ z √(((q+θ) + q - θ²)/n), where q, the share of detractors if θ were
/// true, is the larger root of 2nq² - (P(1-θ) + D(1-3θ) - 2Sθ) q - Dθ(1-θ) = 0.
fn score(promoters: u64, detractors: u64, n: u64) -> Interval {
    let (promoters, detractors, n) = (real(promoters), real(detractors), real(n));
    let passives = n - promoters - detractors;
    let point = (promoters - detractors) / n;
    let is_inside = |theta: f64| {
        let linear =
            promoters * (1.0 - theta) + detractors * (1.0 - 3.0 * theta) - 2.0 * passives * theta;
        let constant = detractors * theta * (1.0 - theta);
        let root = (linear * linear + 8.0 * n * constant).max(0.0).sqrt();
        let share = (linear + root) / (4.0 * n);
        let variance = ((2.0 * share + theta - theta * theta) / n).max(0.0);
        (point - theta).abs() <= Z * variance.sqrt()
    };
    let end = |outer: f64| {
        if is_inside(outer) {
            return outer;
        }
        let (mut inside, mut outside) = (point, outer);
        for _ in 0..100 {
            let middle = f64::midpoint(inside, outside);
            if is_inside(middle) {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        inside
    };
    Interval { low: 100.0 * end(-1.0), high: Some(100.0 * end(1.0)), level: LEVEL, method: "score" }
}

/// Customer satisfaction: the share of satisfied answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Csat {
    /// The scale on which it is asked.
    pub scale: Scale,
    /// The lowest satisfied answer.
    pub satisfied_from: i32,
    /// Which answers count.
    pub selection: Selection,
}

impl Csat {
    /// On 1 to 5, satisfied from 4: the two top boxes.
    pub const FIVE: Self =
        Self { scale: Scale::high_is_good(1, 5), satisfied_from: 4, selection: Selection::All };

    /// Bad or good, as Zendesk asks: good / (good + bad).
    pub const GOOD_OR_BAD: Self =
        Self { scale: Scale::high_is_good(0, 1), satisfied_from: 1, selection: Selection::All };

    /// Satisfaction on each of these scales on which it was asked, or, where it was on none, on the
    /// first: scales are never mixed.
    pub fn of_each(answers: &[Answer], selection: Selection, as_of: Timestamp) -> Vec<Measured> {
        let on = [Self::FIVE, Self::GOOD_OR_BAD];
        let mut on: Vec<Measured> =
            on.into_iter().map(|csat| Self { selection, ..csat }.of(answers, as_of)).collect();
        if on.iter().any(|result| result.n > 0) {
            on.retain(|result| result.n > 0);
        } else {
            on.truncate(1);
        }
        on
    }

    /// The share of satisfied answers, with Wilson's interval; the mean, and the mean on a scale
    /// from 0 to 1, stand beside it.
    pub fn of(&self, answers: &[Answer], as_of: Timestamp) -> Measured {
        let mut measured = Measured::new("csat", Unit::Share, as_of);
        let scores = select(answers, Survey::Csat, self.scale, self.selection, &mut measured);
        let satisfied = count(&scores, |score| score >= self.satisfied_from);
        measured.definition = format!(
            "Customer satisfaction: answers of {} and more / all answers on {} to {}.",
            self.satisfied_from, self.scale.min, self.scale.max
        );
        measured.counts.insert("satisfied", satisfied);
        measured.value = share(satisfied, measured.n);
        means(&scores, self.scale, &mut measured);
        measured
    }
}

/// Student's interval, as far as the scale goes.
fn mean_interval(numbers: &[f64], scale: Scale) -> Option<Interval> {
    let interval = t_interval(numbers)?;
    let (min, max) = (f64::from(scale.min), f64::from(scale.max));
    let high = interval.high.map(|high| high.min(max));
    Some(Interval { low: interval.low.max(min), high, ..interval })
}

fn means(scores: &[i32], scale: Scale, measured: &mut Measured) {
    let numbers: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
    let Some(value) = mean(&numbers) else { return };
    measured.parts.insert("mean", Figure { value, interval: mean_interval(&numbers, scale) });
    let width = f64::from(scale.max) - f64::from(scale.min);
    if width > 0.0 {
        let value = (value - f64::from(scale.min)) / width;
        measured.parts.insert("mean_0_to_1", Figure { value, interval: None });
    }
}

/// The Customer Effort Score 2.0: agreement from 1 to 7 that it was made easy. Source: Dixon,
/// Ponomareff, Turner and `DeLisi` 2017. The first version, on which high is effort, is another
/// question: its answers are left out, never converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ces {
    /// Which answers count.
    pub selection: Selection,
}

impl Ces {
    /// The scale on which it is asked.
    pub const SCALE: Scale = Scale::high_is_good(1, 7);

    /// The mean with Student's interval; the share of 5 to 7 and the net ease stand beside it.
    pub fn of(&self, answers: &[Answer], as_of: Timestamp) -> Measured {
        let mut measured = Measured::new("ces", Unit::Scale, as_of);
        let scores = select(answers, Survey::Ces, Self::SCALE, self.selection, &mut measured);
        measured
            .define("Customer Effort Score 2.0: mean agreement, 1 to 7, that it was made easy.");
        let (easy, hard) = (count(&scores, |score| score >= 5), count(&scores, |score| score <= 3));
        measured.counts.insert("easy", easy);
        measured.counts.insert("hard", hard);
        let n = measured.n;
        if let Some(share) = share(easy, n) {
            measured.parts.insert("share_easy", share);
            let value = (real(easy) - real(hard)) / real(n);
            measured.parts.insert("net_easy", Figure { value, interval: None });
        }
        let numbers: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
        let interval = mean_interval(&numbers, Self::SCALE);
        measured.value = mean(&numbers).map(|value| Figure { value, interval });
        measured
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(1_772_000_000 + second).unwrap()
    }

    fn answer(survey: Survey, scale: Scale, score: i32, number: usize) -> Answer {
        Answer {
            respondent: format!("cus_{number}"),
            question: ("survey".to_owned(), format!("q{number}")),
            at: at(i64::try_from(number).unwrap()),
            seq: None,
            event: EventKey::new(format!("e{number}")).unwrap(),
            survey,
            score: Some(score),
            scale: Some(scale),
        }
    }

    fn nps_answers(promoters: usize, passives: usize, detractors: usize) -> Vec<Answer> {
        let scores = std::iter::repeat_n(10, promoters)
            .chain(std::iter::repeat_n(8, passives))
            .chain(std::iter::repeat_n(6, detractors));
        scores.enumerate().map(|(i, score)| answer(Survey::Nps, Nps::SCALE, score, i)).collect()
    }

    /// The reference values of JOURNEYS.md, section 4.
    #[test]
    fn nps_intervals_have_the_published_values() {
        use NpsInterval::{AdjustedWald, Score, Wald};
        let cases = [
            ((50, 30, 20), Wald, 30.0, 14.692, 45.308),
            ((50, 30, 20), AdjustedWald, 30.0, 14.051, 44.201),
            ((50, 30, 20), Score, 30.0, 13.955, 44.339),
            ((5, 3, 2), AdjustedWald, 30.0, -19.051, 65.204),
            ((5, 3, 2), Score, 30.0, -21.659, 67.528),
            ((10, 0, 0), AdjustedWald, 100.0, 47.504, 100.0),
            ((10, 0, 0), Score, 100.0, 44.493, 100.0),
            ((10, 0, 0), Wald, 100.0, 100.0, 100.0),
        ];
        for ((p, s, d), interval, value, low, high) in cases {
            let nps = Nps { interval, ..Nps::default() };
            let figure = nps.of(&nps_answers(p, s, d), at(1_000)).value.unwrap();
            let found = figure.interval.unwrap();
            assert!((figure.value - value).abs() < 1e-9, "{p} {s} {d} {interval:?}");
            assert!((found.low - low).abs() < 6e-4, "{p} {s} {d} {found:?}");
            assert!((found.high.unwrap() - high).abs() < 6e-4, "{p} {s} {d} {found:?}");
        }
    }

    #[test]
    fn six_is_a_detractor_and_seven_is_not() {
        let answers: Vec<Answer> = [6, 7, 8, 9]
            .into_iter()
            .enumerate()
            .map(|(i, score)| answer(Survey::Nps, Nps::SCALE, score, i))
            .collect();
        let measured = Nps::default().of(&answers, at(100));
        assert_eq!(measured.counts["detractors"], 1);
        assert_eq!(measured.counts["passives"], 2);
        assert_eq!(measured.value.unwrap().value, 0.0);
    }

    #[test]
    fn a_changed_answer_counts_once_as_it_is_now() {
        let mut bad = answer(Survey::Csat, Csat::GOOD_OR_BAD.scale, 0, 1);
        let good = Answer { at: at(50), score: Some(1), ..bad.clone() };
        bad.at = at(10);
        let measured = Csat::GOOD_OR_BAD.of(&[good.clone(), bad.clone()], at(100));
        assert_eq!((measured.n, measured.value.unwrap().value), (1, 1.0));
        assert_eq!(measured.excluded["changed later"], 1);
        let before = Csat::GOOD_OR_BAD.of(&[good, bad], at(20));
        assert_eq!(before.value.unwrap().value, 0.0);
    }

    #[test]
    fn a_withdrawn_score_does_not_count_nor_the_one_before_it() {
        let good = answer(Survey::Csat, Csat::FIVE.scale, 5, 1);
        let none = Answer { at: at(50), score: None, ..good.clone() };
        let measured = Csat::FIVE.of(&[none.clone(), good.clone()], at(100));
        assert_eq!((measured.n, measured.value), (0, None));
        assert_eq!(measured.excluded["changed later"], 1);
        assert_eq!(Csat::FIVE.of(&[none, good], at(20)).n, 1, "it stood then");
    }

    #[test]
    fn of_two_answers_at_one_instant_the_later_of_the_source_stands() {
        let bad = Answer { seq: Some(2), ..answer(Survey::Csat, Csat::FIVE.scale, 1, 1) };
        let good = Answer { seq: Some(1), score: Some(5), ..bad.clone() };
        for answers in [[bad.clone(), good.clone()], [good, bad]] {
            assert_eq!(Csat::FIVE.of(&answers, at(100)).parts["mean"].value, 1.0);
        }
    }

    #[test]
    fn one_id_of_two_customers_or_of_two_sources_is_two_questions() {
        let one = answer(Survey::Csat, Csat::FIVE.scale, 5, 1);
        let other = Answer { respondent: "cus_2".to_owned(), score: Some(1), ..one.clone() };
        let elsewhere = ("other".to_owned(), one.question.1.clone());
        let there = Answer { question: elsewhere, ..one.clone() };
        let measured = Csat::FIVE.of(&[one, other, there], at(100));
        assert_eq!((measured.n, measured.excluded.len()), (3, 0));
    }

    #[test]
    fn the_interval_of_a_mean_stays_on_the_scale() {
        let answers =
            [answer(Survey::Ces, Ces::SCALE, 7, 1), answer(Survey::Ces, Ces::SCALE, 5, 2)];
        let interval = Ces::default().of(&answers, at(100)).value.unwrap().interval.unwrap();
        assert_eq!((interval.low, interval.high), (1.0, Some(7.0)));
    }

    #[test]
    fn scales_and_good_ends_are_never_mixed() {
        let effort = Scale { min: 1, max: 5, good: GoodEnd::Low };
        let answers = [
            answer(Survey::Ces, Ces::SCALE, 7, 1),
            answer(Survey::Ces, effort, 5, 2),
            answer(Survey::Ces, Scale::high_is_good(1, 5), 5, 3),
            answer(Survey::Ces, Ces::SCALE, 9, 4),
            answer(Survey::Csat, Ces::SCALE, 1, 5),
        ];
        let measured = Ces::default().of(&answers, at(100));
        assert_eq!((measured.n, measured.value.unwrap().value), (1, 7.0));
        let reasons: Vec<&str> = measured.excluded.keys().copied().collect();
        assert_eq!(
            reasons,
            ["on a scale with the other good end", "on another scale", "outside the scale"]
        );
        assert_eq!(measured.value.unwrap().interval, None, "one answer has no interval");
    }

    #[test]
    fn a_result_explains_itself() {
        let measured = Nps::default().of(&nps_answers(50, 30, 20), at(1_000));
        assert_eq!(
            measured.explain(),
            "nps: 30.0 (14.1 to 44.2, 95 %, adjusted Wald); n = 100. Net Promoter Score: 100 \
             (promoters - detractors) / n; promoters answered 9 or 10, detractors 0 to 6."
        );
    }

    proptest! {
        #[test]
        fn every_answer_counts_or_has_a_reason_and_order_does_not_matter(
            scores in proptest::collection::vec((-2_i32..14, 0_usize..6, 0_usize..4, any::<bool>()), 0..40),
            selection in prop_oneof![Just(Selection::All), Just(Selection::Latest), Just(Selection::First)],
        ) {
            let mut answers: Vec<Answer> = scores
                .iter()
                .enumerate()
                .map(|(i, (score, who, question, scaled))| Answer {
                    respondent: format!("cus_{who}"),
                    question: ("survey".to_owned(), format!("q{question}")),
                    scale: scaled.then_some(Nps::SCALE),
                    ..answer(Survey::Nps, Nps::SCALE, *score, i)
                })
                .collect();
            let nps = Nps { selection, ..Nps::default() };
            let one = nps.of(&answers, at(30));
            prop_assert_eq!(one.n + one.excluded.values().sum::<u64>(), u64::try_from(answers.len()).unwrap());
            if let Some(figure) = one.value {
                prop_assert!((-100.0..=100.0).contains(&figure.value));
                let interval = figure.interval.unwrap();
                prop_assert!((interval.low..=interval.high.unwrap()).contains(&figure.value));
            }
            answers.reverse();
            prop_assert_eq!(nps.of(&answers, at(30)), one);
        }
    }
}
