//! What of Splink's models is understood, and what becomes of it.

use proptest::prelude::*;

use super::super::condition::{Edit, Field, Likeness, Part};
use super::super::{TableBuilder, link, waterfall};
use super::*;

const MODEL: &str = include_str!("model.json");

fn understood(sql: &str) -> Option<Condition> {
    pattern::condition(sql, &mut BTreeMap::new())
}

fn written_again(sql: &str) -> String {
    let mut columns = BTreeMap::new();
    let condition = pattern::condition(sql, &mut columns).unwrap_or_else(|| panic!("{sql}"));
    sql::text(&condition, &|attribute| columns[attribute.name()].clone())
}

#[test]
fn conditions_of_splinks_libraries_are_understood_and_written_as_they_were() {
    for sql in [
        r#""first_name_l" IS NULL OR "first_name_r" IS NULL"#,
        r#""first_name_l" = "first_name_r""#,
        r#"jaro_winkler_similarity("surname_l", "surname_r") >= 0.92"#,
        r#"jaro_similarity("street_l", "street_r") >= 0.85"#,
        r#"jaccard("company_l", "company_r") >= 0.7"#,
        r#"levenshtein("phone_l", "phone_r") <= 2"#,
        r#"damerau_levenshtein("nid_l", "nid_r") <= 1"#,
        r#"("city_l" IS NULL OR "city_r" IS NULL) AND ("postcode_l" IS NULL OR "postcode_r" IS NULL)"#,
        r#"("first_name_l" = "first_name_r") AND ("surname_l" = "surname_r")"#,
        r#""first_name_l" = "surname_r" AND "first_name_r" = "surname_l""#,
        r#""first_name_l" = "surname_r""#,
        r#"(jaro_winkler_similarity("first_name_l", "first_name_r") >= 0.88) AND (jaro_winkler_similarity("surname_l", "surname_r") >= 0.88)"#,
        r#"try_strptime("dob_l", '%Y-%m-%d') IS NULL OR try_strptime("dob_r", '%Y-%m-%d') IS NULL"#,
        r#"ABS(EPOCH(try_strptime("dob_l", '%Y-%m-%d')) - EPOCH(try_strptime("dob_r", '%Y-%m-%d'))) <= 2629800"#,
        r#"NULLIF(regexp_extract("email_l", '^[^@]+', 0), '') = NULLIF(regexp_extract("email_r", '^[^@]+', 0), '')"#,
        r#"jaro_winkler_similarity(NULLIF(regexp_extract("email_l", '^[^@]+', 0), ''), NULLIF(regexp_extract("email_r", '^[^@]+', 0), '')) >= 0.88"#,
        r#"NULLIF(regexp_extract("postcode_l", '^[A-Za-z]{1,2}[0-9][A-Za-z0-9]? [0-9]', 0), '') = NULLIF(regexp_extract("postcode_r", '^[A-Za-z]{1,2}[0-9][A-Za-z0-9]? [0-9]', 0), '')"#,
        r#"array_length(list_intersect("tags_l", "tags_r")) >= 2"#,
        r#""gender_l" = 'f' AND "gender_r" = 'f'"#,
        r#"substring("dob_l", 1, 4) = substring("dob_r", 1, 4)"#,
        r#"NOT ("city_l" = "city_r")"#,
        "ELSE",
    ] {
        assert_eq!(written_again(sql), sql);
    }
}

#[test]
fn other_dialects_and_older_versions_mean_the_same() {
    for (older, newer) in [
        (
            "first_name_l IS NULL OR first_name_r IS NULL",
            r#""first_name_l" IS NULL OR "first_name_r" IS NULL"#,
        ),
        ("surname_l = surname_r", r#""surname_l" = "surname_r""#),
        (
            "jaro_winkler(`surname_l`, `surname_r`) >= 0.9",
            r#"jaro_winkler_similarity("surname_l", "surname_r") >= 0.9"#,
        ),
        (
            "jaro_winkler_sim(lower(surname_l), lower(surname_r)) >= 0.9",
            r#"jaro_winkler_similarity("surname_l", "surname_r") >= 0.9"#,
        ),
        ("levenshtein_distance(a_l, a_r) < 3", r#"levenshtein("a_l", "a_r") <= 2"#),
        ("2 >= levenshtein(a_r, a_l)", r#"levenshtein("a_l", "a_r") <= 2"#),
        (
            "abs(date_diff('day', \"dob_l\", \"dob_r\")) <= 30",
            r#"ABS(EPOCH(try_strptime("dob_l", '%Y-%m-%d')) - EPOCH(try_strptime("dob_r", '%Y-%m-%d'))) <= 2592000"#,
        ),
        (
            "ABS(EPOCH(\"dob_l\"::timestamp) - EPOCH(CAST(\"dob_r\" AS timestamp))) <= 86400",
            r#"ABS(EPOCH(try_strptime("dob_l", '%Y-%m-%d')) - EPOCH(try_strptime("dob_r", '%Y-%m-%d'))) <= 86400"#,
        ),
        (
            "left(surname_l, 3) = left(surname_r, 3)",
            r#"substring("surname_l", 1, 3) = substring("surname_r", 1, 3)"#,
        ),
        (r#""Surname_l" = "surname_r""#, r#""Surname_l" = "Surname_r""#),
        ("surname_l = last_name_r AND surname_r = last_name_l", r#""surname_l" = "surname_r""#),
        ("else", "ELSE"),
    ] {
        assert_eq!(written_again(older), newer, "{older}");
    }
}

#[test]
fn a_condition_that_is_not_understood_is_told_with_its_place() {
    for sql in [
        "cosine_similarity(\"v_l\", \"v_r\") >= 0.9",
        "\"a_l\" = \"b_l\"",
        "\"a_l\" IS NULL",
        "levenshtein(\"a_l\", \"b_r\") <= 1",
        "\"a_l\" = 'x'",
        "1 = 1",
        "\"a_l",
        "(((",
        "",
    ] {
        let model = json!({"comparisons": [{"output_column_name": "vector", "comparison_levels": [
            {"sql_condition": "\"v_l\" IS NULL OR \"v_r\" IS NULL", "is_null_level": true},
            {"sql_condition": sql, "m_probability": 0.9, "u_probability": 0.1},
        ]}]});
        let wanted = SplinkError::Condition {
            comparison: "vector".to_owned(),
            level: 2,
            condition: sql.to_owned(),
        };
        assert_eq!(Model::from_splink(&model.to_string()), Err(wanted));
    }
    let error = Model::from_splink(r#"{"comparisons": [{"output_column_name": "x"}]}"#);
    assert_eq!(error.unwrap_err().to_string(), "x: a list \"comparison_levels\" is wanted");
    assert!(Model::from_splink("{}").is_err() && Model::from_splink("no JSON").is_err());
}

#[test]
fn a_model_of_splink_is_the_same_after_being_written_and_read_again() {
    let model = Model::from_splink(MODEL).unwrap();
    assert!(Model::is_splink(MODEL) && !Model::is_splink(&model.to_json()));
    assert_eq!(model.conditions.len(), 5);
    assert_eq!(model.columns["given_name"], "first_name");
    let again = Model::from_splink(&model.to_splink(1_000)).unwrap();
    assert_eq!(again, model);
    assert_eq!(Model::read(&model.to_json()).unwrap(), model);
}

#[test]
fn the_model_of_cx_is_the_same_after_being_written_for_splink_and_read_again() {
    let model = Model::shipped();
    let records = 10_000;
    let text = model.to_splink(records);
    let again = Model::from_splink(&text).unwrap();
    let named =
        |of: &Model| of.comparisons.iter().map(|c| c.comparison.clone()).collect::<Vec<_>>();
    let plain: Vec<ComparisonWeights> = model
        .comparisons
        .iter()
        .filter(|weights| weights.comparison != Comparison::Other(String::new()))
        .cloned()
        .collect();
    assert!(again.comparisons.starts_with(&plain), "{:?} {:?}", named(&again), again.conditions);
    let Prior::Probability(prior) = again.prior else { panic!("{:?}", again.prior) };
    let records = f64::from(records);
    let per_record = prior * (records - 1.0) / 2.0;
    assert!(matches!(model.prior, Prior::PairsPerRecord(said) if (said - per_record).abs() < 1e-9));
}

#[test]
fn what_was_not_in_the_table_is_not_asked_of_splink() {
    let mut model = Model::shipped();
    model.columns = BTreeMap::from([("city".to_owned(), "town".to_owned())]);
    let settings: Value = serde_json::from_str(&model.to_splink(100)).unwrap();
    let comparisons = settings["comparisons"].as_array().unwrap();
    assert_eq!(comparisons.len(), 1, "{settings}");
    let text = comparisons[0].to_string();
    assert!(text.contains("town_l") && !text.contains("postcode"), "{text}");
    assert_eq!(settings["blocking_rules_to_generate_predictions"], json!([]));
}

#[test]
fn weights_add_up_as_in_splink() {
    let model = Model::from_splink(MODEL).unwrap();
    let mut builder = TableBuilder::new(&[
        Attribute::GivenName,
        Attribute::FamilyName,
        Attribute::BirthDate,
        Attribute::City,
    ]);
    for row in [
        ["Maria", "Bakker", "1980-03-04", "Delft"],
        ["Maria", "Bakkers", "1980-04-03", ""],
        ["Piet", "Vos", "1971-01-01", "Delft"],
        ["Eva", "Bos", "1961-05-09", "Gouda"],
    ] {
        builder.push(&row);
    }
    let table = builder.finish();
    let told = waterfall(&table, &model, 0, 1);
    // Two of four given names are Maria: u of equal names is held against a share of a half.
    let expected = (0.001_f64 / 0.999).log2()
        + (0.6_f64 / 0.01).log2()
        + (0.01_f64 / 0.5).log2()
        + (0.2_f64 / 0.004).log2()
        + (0.1_f64 / 0.01).log2();
    assert!((told.weight - expected).abs() < 0.01, "{} {expected} {told:?}", told.weight);
    let linkage = link(&table, &model, &super::super::LinkOptions::default());
    assert_eq!(linkage.persons.len(), 4);
}

#[test]
fn levels_that_were_not_trained_weigh_nothing_and_those_not_seen_little() {
    let model = json!({"comparisons": [{"output_column_name": "a", "comparison_levels": [
        {"sql_condition": "\"a_l\" = \"a_r\"", "m_probability": 0.9},
        {"sql_condition": "levenshtein(\"a_l\", \"a_r\") <= 1",
         "m_probability": "level not observed in training dataset", "u_probability": 0.5},
    ]}]});
    let model = Model::from_splink(&model.to_string()).unwrap();
    assert_eq!(model.conditions[0].levels[0].shares, None);
    assert_eq!(model.conditions[0].levels[1].shares, Some(Shares { m: NOT_SEEN, u: 0.5 }));
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        Just((Attribute::GivenName, Part::Whole)),
        Just((Attribute::FamilyName, Part::Begin(3))),
        Just((Attribute::BirthDate, Part::Year)),
        Just((Attribute::BirthDate, Part::Begin(6))),
        Just((Attribute::Email, Part::Local)),
        Just((Attribute::Email, Part::Domain)),
        Just((Attribute::Postcode, Part::Sector)),
        Just((Attribute::Other("club's \"name\"".to_owned()), Part::Whole)),
    ]
    .prop_map(|(attribute, part)| Field { attribute, part })
}

fn condition() -> impl Strategy<Value = Condition> {
    let like =
        prop_oneof![Just(Likeness::Jaro), Just(Likeness::JaroWinkler), Just(Likeness::Jaccard)];
    let edit = prop_oneof![Just(Edit::Levenshtein), Just(Edit::Damerau)];
    let leaf = prop_oneof![
        Just(Condition::Missing(Attribute::City)),
        Just(Condition::NoDate(Attribute::BirthDate)),
        field().prop_map(Condition::Equal),
        (field(), like, 0.0..1.0_f64).prop_map(|(field, by, at_least)| Condition::Like {
            field,
            by,
            at_least
        }),
        (field(), edit, 0..9_u32).prop_map(|(field, by, at_most)| Condition::Edits {
            field,
            by,
            at_most
        }),
        (0..9_999_u32).prop_map(|days| Condition::Apart {
            attribute: Attribute::BirthDate,
            days: f64::from(days)
        }),
        (1..9_u32).prop_map(|at_least| Condition::Share { attribute: Attribute::Phone, at_least }),
        "[a-z' ]{1,9}[a-z]"
            .prop_map(|text| { Condition::Both(Attribute::City, crate::text::folded(&text)) }),
        Just(Condition::Crossed(
            Field { attribute: Attribute::GivenName, part: Part::Whole },
            Field { attribute: Attribute::FamilyName, part: Part::Whole },
        )),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Condition::Any),
            inner.prop_map(|one| Condition::Not(Box::new(one))),
        ]
    })
}

proptest! {
    #[test]
    fn a_condition_that_was_written_is_read_as_it_was(condition in condition()) {
        let sql = sql::text(&condition, &|attribute: &Attribute| attribute.name().to_owned());
        prop_assert_eq!(understood(&sql), Some(condition), "{}", sql);
    }

    #[test]
    fn no_text_is_too_odd_for_a_condition(
        text in "\\PC{0,40}",
        odd in r#"([()'"=<>,.-]|abs|epoch|not|and|or|is|null|cast|as|a_l|a_r|[0-9]){0,40}"#,
    ) {
        understood(&text);
        understood(&odd);
        Model::from_splink(&text).unwrap_err();
    }

    #[test]
    fn deep_parentheses_are_no_trap(n in 1..20_000_usize) {
        let sql = format!("{}\"a_l\" = \"a_r\"{}", "(".repeat(n), ")".repeat(n));
        prop_assert_eq!(understood(&sql).is_some(), n < 50);
    }
}
