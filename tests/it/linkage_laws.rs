//! The laws of linking records (IDENTITY.md 2.8, P15): the same on any number of threads and in any
//! order of rows, and no table is too odd.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use cx_core::linkage::{
    Address, Attribute, LinkOptions, Linkage, Model, Table, TableBuilder, TrainOptions, link,
    train, waterfall,
};
use cx_tests::people;
use cx_tests::strategies::cases;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const COLUMNS: &[Attribute] = &[
    Attribute::GivenName,
    Attribute::FamilyName,
    Attribute::BirthDate,
    Attribute::Email,
    Attribute::Phone,
    Attribute::City,
    Attribute::Postcode,
];

type Row = [String; 7];

fn table(rows: &[Row]) -> Table {
    let mut builder = TableBuilder::new(COLUMNS);
    for row in rows {
        builder.push(&row.each_ref().map(String::as_str));
    }
    builder.finish()
}

fn on(threads: usize) -> LinkOptions {
    LinkOptions { threads: NonZeroUsize::new(threads).unwrap(), ..LinkOptions::default() }
}

/// Who is with whom, by what the rows say.
fn persons(rows: &[Row], linkage: &Linkage) -> BTreeSet<Vec<Row>> {
    let mut sets: std::collections::BTreeMap<u32, Vec<Row>> = std::collections::BTreeMap::new();
    for (row, person) in rows.iter().zip(&linkage.persons) {
        sets.entry(*person).or_default().push(row.clone());
    }
    sets.into_values()
        .map(|mut set| {
            set.sort();
            set
        })
        .collect()
}

/// Few people who share a little, written by many hands.
fn row() -> impl Strategy<Value = Row> {
    (
        select(&["", "Jan", "jan", "Johannes", "Eva", "Piet", "Vries", "J"][..]),
        select(&["", "de Vries", "Vries", "Bakker", "Bakkre", "Jan"][..]),
        select(&["", "1980-03-04", "4-3-1980", "1980-04-03", "1971-12-31", "soon"][..]),
        select(&["", "jan80@example.nl", "jan80@example.org", "eva@example.nl", "info@x.nl"][..]),
        select(&["", "06 12345678", "+31612345678", "020 6241111"][..]),
        select(&["", "Utrecht", "Utrect", "Gouda"][..]),
        select(&["", "3511 AB", "3511AC", "2801 CD"][..]),
    )
        .prop_map(|(g, f, b, e, p, c, z)| [g, f, b, e, p, c, z].map(str::to_owned))
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn p15_one_thread_and_sixteen_give_the_same(rows in vec(row(), 0..60)) {
        let (table, model) = (table(&rows), Model::shipped());
        let one = link(&table, &model, &on(1));
        prop_assert_eq!(&one, &link(&table, &model, &on(2)));
        prop_assert_eq!(&one, &link(&table, &model, &on(16)));
        let options = |threads| TrainOptions {
            threads: NonZeroUsize::new(threads).unwrap(), ..TrainOptions::default()
        };
        let trained = |threads| train(&table, &model, &options(threads)).map(|model| model.to_json());
        prop_assert_eq!(trained(1), trained(16));
    }

    #[test]
    fn the_order_of_rows_does_not_matter(rows in vec(row(), 0..40), by in 0..40_usize) {
        let model = Model::shipped();
        let mut turned = rows.clone();
        if !rows.is_empty() {
            turned.rotate_left(by % rows.len());
            turned.reverse();
        }
        let one = link(&table(&rows), &model, &on(1));
        let other = link(&table(&turned), &model, &on(1));
        prop_assert_eq!(persons(&rows, &one), persons(&turned, &other));
    }

    #[test]
    fn the_order_of_rows_does_not_matter_to_training(
        (rows, turned) in vec(row(), 2..60).prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        let learnt = |rows: &[Row]| {
            train(&table(rows), &Model::shipped(), &TrainOptions::default()).map(|model| model.to_json())
        };
        prop_assert_eq!(learnt(&rows), learnt(&turned));
    }

    #[test]
    fn a_name_alone_never_links(name in "[A-Z][a-z]{2,9} [A-Z][a-z]{2,12}", n in 2..20_usize) {
        let mut builder = TableBuilder::new(&[Attribute::FullName, Attribute::BirthDate]);
        (0..n).for_each(|_| builder.push(&[&name, ""]));
        let linkage = link(&builder.finish(), &Model::shipped(), &on(1));
        prop_assert!(linkage.links.is_empty());
    }

    #[test]
    fn nothing_that_a_table_may_hold_is_too_odd(rows in vec(vec("\\PC{0,12}", 9), 0..30)) {
        let attributes = [
            Attribute::FullName, Attribute::GivenName, Attribute::BirthDate, Attribute::Email,
            Attribute::Phone, Attribute::Street, Attribute::NationalId, Attribute::Postcode,
            Attribute::Other("x".to_owned()),
        ];
        let mut builder = TableBuilder::new(&attributes);
        for row in &rows {
            builder.push(&row.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let table = builder.finish();
        let model = train(&table, &Model::shipped(), &TrainOptions::default())
            .unwrap_or_else(|_| Model::shipped());
        prop_assert_eq!(&Model::read(&model.to_json()).unwrap(), &model);
        let linkage = link(&table, &model, &on(1));
        prop_assert_eq!(linkage.persons.len(), rows.len());
        for pair in &linkage.possible {
            let told = waterfall(&table, &model, pair.a, pair.b);
            prop_assert!((told.weight * 1000.0 - f64::from(pair.weight)).abs() < 1.0);
        }
    }
}

/// A table whose columns are constant, empty or unique, large enough that pairs of all rows with
/// all would take for ever.
#[test]
fn no_column_makes_the_work_quadratic() {
    for column in ["constant", "", "unique"] {
        let mut builder = TableBuilder::new(COLUMNS);
        for n in 0..50_000 {
            let value = if column == "unique" { format!("value{n}") } else { column.to_owned() };
            builder.push(&[&value, &value, &value, &value, &value, &value, &value]);
        }
        let linkage = link(&builder.finish(), &Model::shipped(), &on(2));
        assert!(linkage.compared < 1_000_000, "{column}: {}", linkage.compared);
    }
}

#[test]
fn housemates_are_a_household_and_junior_is_not_senior() {
    let rows: Vec<Row> = [
        ["Jan", "de Vries", "1950-02-03", "", "020 6241111", "Utrecht", "3511 AB"],
        ["Eva", "de Vries", "1952-09-01", "", "020 6241111", "Utrecht", "3511 AB"],
        ["Jan", "de Vries", "1981-11-23", "", "020 6241111", "Utrecht", "3511 AB"],
    ]
    .map(|row| row.map(str::to_owned))
    .to_vec();
    let table = table(&rows);
    let linkage = link(&table, &Model::shipped(), &on(1));
    assert_eq!(linkage.persons, [0, 1, 2]);
    assert!(linkage.households.iter().any(|pair| (pair.a, pair.b) == (0, 1)), "{linkage:?}");
    let strict = LinkOptions { address: Address::IsNotEnough, ..on(1) };
    assert!(link(&table, &Model::shipped(), &strict).links.is_empty());
}

#[test]
fn a_table_of_people_is_linked_well_after_training_on_itself() {
    let records: Vec<_> = people::people(4_000, 5).collect();
    let mut lines = people::PersonRecord::HEADER.split(',');
    assert!(lines.any(|name| name == "truth"), "{}", people::PersonRecord::HEADER);
    let mut builder = TableBuilder::new(COLUMNS);
    let mut truth = Vec::new();
    for record in &records {
        let text = record.to_csv();
        let cells: Vec<&str> = text.trim_end().split(',').collect();
        let at = |name: &str| {
            let position =
                people::PersonRecord::HEADER.split(',').position(|column| column == name).unwrap();
            cells[position]
        };
        builder.push(&[
            at("first_name"),
            at("surname"),
            at("dob"),
            at("email"),
            at("phone"),
            at("city"),
            at("postcode"),
        ]);
        truth.push(
            at("truth")
                .bytes()
                .filter(u8::is_ascii_digit)
                .fold(0_u32, |n, d| n * 10 + u32::from(d - b'0')),
        );
    }
    let table = builder.finish();
    let model = train(&table, &Model::shipped(), &TrainOptions::default()).unwrap();
    let quality = cx_core::linkage::quality(&link(&table, &model, &on(2)).persons, &truth);
    assert!(quality.precision > 0.95 && quality.f1 > 0.9, "{quality:?}");
}

#[test]
fn records_meet_by_any_of_their_values() {
    let columns = [
        Attribute::GivenName,
        Attribute::FamilyName,
        Attribute::Phone,
        Attribute::Phone,
        Attribute::Email,
    ];
    let linked = |eva: [&str; 2]| {
        let mut builder = TableBuilder::new(&columns);
        builder.push(&["Eva", "Bakker", eva[0], eva[1], ""]);
        builder.push(&["Eva", "Wit", "0622222333", "", ""]);
        builder.push(&["Ann", "Bell", "0633333444", "", "ann@example.nl"]);
        let linkage = link(&builder.finish(), &Model::shipped(), &on(1));
        (linkage.compared, linkage.links.len(), linkage.possible.len())
    };
    let found = linked(["0611111222", "0622222333"]);
    assert_eq!(found, linked(["0622222333", "0611111222"]));
    assert_eq!(found.1 + found.2, 1, "{found:?}");
}

#[test]
fn a_model_that_says_a_thing_twice_or_cannot_weigh_is_refused() {
    let model: serde_json::Value = serde_json::from_str(&Model::shipped().to_json()).unwrap();
    let read = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut model = model.clone();
        change(&mut model);
        Model::read(&model.to_string())
    };
    assert!(read(&|_| {}).is_ok());
    assert!(read(&|model| model["prior"] = serde_json::json!({"probability": 5})).is_err());
    let twice = |at: &mut serde_json::Value| {
        let list = at.as_array_mut().unwrap();
        let first = list[0].clone();
        list.push(first);
    };
    assert!(read(&|model| twice(&mut model["comparisons"])).is_err());
    assert!(read(&|model| twice(&mut model["comparisons"][0]["levels"])).is_err());
    let missing = serde_json::json!({"level": "missing", "m": 0.9, "u": 0.1});
    let with = |model: &mut serde_json::Value| {
        model["comparisons"][0]["levels"].as_array_mut().unwrap().push(missing.clone());
    };
    assert!(read(&with).is_err());
}

#[test]
fn twins_are_a_household_and_so_are_father_and_son_of_one_name_and_day() {
    let columns = [
        Attribute::GivenName,
        Attribute::FamilyName,
        Attribute::BirthDate,
        Attribute::Street,
        Attribute::Postcode,
        Attribute::Phone,
        Attribute::Email,
    ];
    let linked = |rows: [[&str; 3]; 2]| {
        let mut builder = TableBuilder::new(&columns);
        for [given, born, mail] in rows {
            let home = ["Kerkstraat 1", "2611 AA", "0612345678"];
            builder.push(&[given, "Zwartjes", born, home[0], home[1], home[2], mail]);
        }
        // Others, so that to be alike is worth something.
        for n in 0..50 {
            let (given, street) = (format!("Given{n}"), format!("Dorpsweg {n}"));
            let (born, code) = (format!("19{}-01-02", 40 + n), format!("{} AB", 3000 + n));
            builder.push(&[&given, &format!("Other{n}"), &born, &street, &code, "", ""]);
        }
        let linkage = link(&builder.finish(), &Model::shipped(), &on(1));
        (linkage.persons[1] == 0, linkage.households.iter().any(|pair| (pair.a, pair.b) == (0, 1)))
    };
    assert_eq!(linked([["Tim", "1990-05-06", ""], ["Ann", "1990-05-06", ""]]), (false, true));
    assert_eq!(linked([["Peter", "1950-05-06", ""], ["Peter", "1980-05-06", ""]]), (false, true));
    assert_eq!(linked([["Peter", "1980-05-06", ""], ["Peter", "1980-05-07", ""]]), (true, false));
    let mail = "pz1950@example.nl";
    assert!(linked([["Peter", "1950-05-06", mail], ["Peter", "1980-05-06", mail]]).0);
}

#[test]
fn who_is_in_a_table_a_hundred_times_is_one_person() {
    for copies in [2, 9, 10, 70, 150] {
        let mut builder =
            TableBuilder::new(&[Attribute::GivenName, Attribute::FamilyName, Attribute::Email]);
        for _ in 0..copies {
            for n in 0..20_u8 {
                let letter = char::from(b'a' + n);
                let mail = format!("{letter}{letter}{letter}{n}@example.nl");
                builder.push(&[&format!("G{letter}vin"), &format!("Fam{letter}ly"), &mail]);
            }
        }
        let linkage = link(&builder.finish(), &Model::shipped(), &on(2));
        let persons: BTreeSet<u32> = linkage.persons.iter().copied().collect();
        assert_eq!(persons.len(), 20, "{copies}: {:?}", linkage.dropped);
        assert!(linkage.blanked.is_empty(), "{copies}: {:?}", linkage.blanked);
    }
}
