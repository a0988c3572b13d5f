//! Tables of persons: how well they are linked after training on themselves, and at what cost.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use cx_core::linkage::{
    Attribute, LinkOptions, Model, Quality, Table, TableBuilder, TrainOptions, link, quality, train,
};
use cx_tests::people::{PersonRecord, people};

use crate::figure::Figure;

/// The figures of tables that others made, where they are there.
pub(crate) fn shared() -> Vec<Figure> {
    let Some(folder) = shared_folder() else {
        eprintln!("no shared/data/identity: tables that others made are not measured");
        return Vec::new();
    };
    let mut figures = Vec::new();
    let fake = std::fs::read_to_string(folder.join("splink_fake_1000.csv")).unwrap();
    let fake = read(&[&fake], "cluster", &["unique_id"]);
    figures.push(f1("fake_1000, trained on itself: F1", &fake).at_least(0.93));
    let febrl =
        ["febrl4a.csv", "febrl4b.csv"].map(|n| std::fs::read_to_string(folder.join(n)).unwrap());
    let febrl = febrl.each_ref().map(String::as_str);
    figures
        .push(f1("febrl4, with the national id: F1", &read(&febrl, "rec_id", &[])).at_least(0.998));
    let without = read(&febrl, "rec_id", &["soc_sec_id"]);
    figures.push(f1("febrl4, without the national id: F1", &without).at_least(0.99));
    figures
}

/// The figures of invented people.
pub(crate) fn invented(n: usize, seed: u64) -> Vec<Figure> {
    let mut text = format!("{}\n", PersonRecord::HEADER);
    for record in people(n, seed) {
        text.push_str(&record.to_csv());
        text.push('\n');
    }
    let started = cpu_seconds();
    let (table, truth) = read(&[&text], "truth", &["rec_id", "channel"]);
    let quality = linked(&table, &truth);
    let cpu = started.zip(cpu_seconds()).map(|(before, after)| after - before);
    let mut figures = vec![
        Figure::new(format!("{n} people: precision"), quality.precision),
        Figure::new(format!("{n} people: recall"), quality.recall),
        Figure::new(format!("{n} people: F1"), quality.f1),
    ];
    if n <= 100_000 {
        figures[0] = figures[0].clone().at_least(0.97);
        figures[2] = figures[2].clone().at_least(0.93);
    }
    figures
        .extend(cpu.map(|cpu| Figure::new("CPU, reading and training included, in seconds", cpu)));
    figures
}

fn f1(name: &str, (table, truth): &(Table, Vec<u32>)) -> Figure {
    Figure::new(name, linked(table, truth).f1)
}

fn linked(table: &Table, truth: &[u32]) -> Quality {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let options = TrainOptions { threads, ..TrainOptions::default() };
    let model = train(table, &Model::shipped(), &options).unwrap();
    quality(&link(table, &model, &LinkOptions { threads, ..LinkOptions::default() }).persons, truth)
}

/// Tables without quotes in them, whose columns are known by their names; of the truth the first
/// number counts.
fn read(tables: &[&str], truth: &str, without: &[&str]) -> (Table, Vec<u32>) {
    let header = |table: &str| -> Vec<String> {
        let line = table.lines().next().unwrap_or_default();
        line.split(',').map(|name| name.trim().to_owned()).collect()
    };
    let columns = header(tables[0]);
    let attributes: Vec<Option<Attribute>> = columns
        .iter()
        .map(|name| {
            let is_compared = name != truth && !without.contains(&name.as_str());
            Attribute::of_header(name).filter(|_| is_compared)
        })
        .collect();
    let places: Vec<Attribute> = attributes.iter().flatten().cloned().collect();
    let truth_at = columns.iter().position(|name| name == truth).unwrap();
    let mut builder = TableBuilder::new(&places);
    let mut truths = Vec::new();
    for (n, table) in tables.iter().enumerate() {
        if n == 1 {
            builder.second_table();
        }
        for line in table.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let row: Vec<&str> = cells
                .iter()
                .zip(&attributes)
                .filter(|(_, attribute)| attribute.is_some())
                .map(|(cell, _)| *cell)
                .collect();
            builder.push(&row);
            let digits: String = cells[truth_at]
                .chars()
                .skip_while(|c| !c.is_ascii_digit())
                .take_while(char::is_ascii_digit)
                .collect();
            truths.push(digits.parse().unwrap_or(u32::MAX));
        }
    }
    (builder.finish(), truths)
}

fn shared_folder() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let named = std::env::var_os("CX_SHARED").map(PathBuf::from);
    let near = [root.join("../shared"), root.join("../../shared")];
    let mut all = named.into_iter().chain(near).map(|folder| folder.join("data/identity"));
    all.find(|folder| folder.is_dir())
}

/// How long this process has worked, on all threads; where the system tells.
pub(crate) fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    // In hundredths of a second: user and system, the 14th and 15th field.
    let ticks: u32 = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    Some(f64::from(ticks) / 100.0)
}
