//! Asking the conditions of a model of the rows of a table.

use super::condition::{Condition, ConditionLevel, Conditions, Frequency, Shares};
use super::model::{FLOOR, Model, milli};
use super::table::{Attribute, Column, Table};

/// A comparison of conditions, ready for the rows of a table.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) said: &'a Conditions,
    levels: Vec<AskedLevel<'a>>,
}

#[derive(Debug)]
struct AskedLevel<'a> {
    condition: Condition<Option<&'a Column>>,
    weight: i32,
    frequency: Option<(Frequency<&'a Column>, f64)>,
}

/// What two rows weigh in a comparison of conditions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) level: &'a ConditionLevel,
    pub(super) weight: i32,
    pub(super) frequency: i32,
}

impl<'a> Asked<'a> {
    /// The comparisons of conditions of a model, for a table.
    pub(super) fn all(model: &'a Model, table: &'a Table) -> Vec<Self> {
        let column = |attribute: &Attribute| {
            table.column(attribute).and_then(|position| table.columns().get(position))
        };
        let level = |level: &ConditionLevel| {
            let frequency = level.frequency.as_ref().and_then(|frequency| {
                let column = column(&frequency.attribute)?;
                let Frequency { weight, base, least, .. } = *frequency;
                Some((Frequency { attribute: column, weight, base, least }, column.n_filled()))
            });
            AskedLevel {
                condition: level.condition.map(&column),
                weight: level.shares.map_or(0, Shares::weight),
                frequency,
            }
        };
        let asked =
            |said: &'a Conditions| Self { said, levels: said.levels.iter().map(level).collect() };
        model.conditions.iter().map(asked).collect()
    }

    /// The first level whose condition holds; none where none does.
    pub(super) fn answer(&self, a: u32, b: u32) -> Option<Answer<'a>> {
        let all = self.levels.iter().zip(&self.said.levels);
        let (asked, level) = all.into_iter().find(|(asked, _)| asked.condition.holds(a, b))?;
        let frequency =
            asked.frequency.as_ref().map_or(0, |(frequency, n)| frequency.adjustment(*n, a, b));
        Some(Answer { level, weight: asked.weight, frequency })
    }

    /// What the rows have of all that is asked for.
    pub(super) fn attributes(&self) -> Vec<Attribute> {
        let of = |level: &ConditionLevel| {
            level.condition.attributes().into_iter().cloned().collect::<Vec<_>>()
        };
        let mut all: Vec<Attribute> = Vec::new();
        for attribute in self.said.levels.iter().flat_map(of) {
            if !all.contains(&attribute) {
                all.push(attribute);
            }
        }
        all
    }
}

impl Frequency<&Column> {
    fn adjustment(&self, n: f64, a: u32, b: u32) -> i32 {
        let column = self.attribute;
        let rarest = |row: u32| column.telling(row).map(|value| column.count(value)).min();
        let others = column.of(b);
        let common = column.telling(a).filter(|value| others.contains(value));
        let common = common.map(|value| column.count(value)).min();
        let Some(count) = common.or_else(|| rarest(a).max(rarest(b))) else { return 0 };
        let share = (f64::from(count) / n.max(1.0)).max(self.least).clamp(FLOOR, 1.0);
        milli(self.weight * (self.base.clamp(FLOOR, 1.0) / share).log2())
    }
}
