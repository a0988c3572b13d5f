//! `cx link` and `cx model`: tables of all kinds, and models of two.

use std::fmt::Write;

use crate::shell::Shell;

/// Persons with a second record each, as a webshop exports them.
fn shop(shell: &Shell) {
    let given =
        ["Anna", "Bram", "Carla", "Dirk", "Els", "Frank", "Greet", "Hugo", "Ineke", "Joost"];
    let family = ["Smit", "Boer", "Visser", "Mulder", "Bos"];
    let mut table = "nr, first_name, surname, dob, email, who\n".to_owned();
    let names = family.iter().flat_map(|f| given.iter().map(move |g| (g, f)));
    for (n, (g, f)) in names.enumerate() {
        let (year, month) = (1940 + n, 1 + n % 9);
        writeln!(table, "{n}, {g}, {f}, {year}-0{month}-11, p{n}@example.nl, w{n}-a").unwrap();
        writeln!(table, "{n}, {g}, {f}x, {year}-0{month}-11, , w{n}-b").unwrap();
    }
    shell.write("shop.csv", table);
}

#[test]
fn rows_that_cannot_be_read_are_told_with_their_lines_and_the_rest_is_linked() {
    let shell = Shell::new();
    shell.write(
        "people.csv",
        b"Name;Geburtsdatum;E-Mail\nJan Smit;1980-03-04;jan80@example.nl\n\xff\xfe;x;y\nEva Bos\nSmit, Jan;04.03.1980;JAN80@example.nl\n",
    );
    let said = shell.cx(&["link", "people.csv", "--out", "out.csv"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("people.csv:3: no UTF-8"), "{}", said.err);
    assert!(said.err.contains("people.csv:4: 1 fields where the header has 3"), "{}", said.err);
    let out = std::fs::read_to_string(shell.path("out.csv")).unwrap();
    assert_eq!(
        out,
        "person,row,table,Name,Geburtsdatum,E-Mail\n\
         1,1,1,Jan Smit,1980-03-04,jan80@example.nl\n\
         1,4,1,\"Smit, Jan\",04.03.1980,JAN80@example.nl\n"
    );
    // A row is known by its number below the header, whatever was left out above it.
    assert_eq!(shell.cx(&["link", "people.csv", "--explain", "1", "4"]).code, 0);
    let said = shell.cx(&["link", "people.csv", "--explain", "1", "2"]);
    assert!(said.code == 2 && said.err.contains("row 2: it was left out"), "{}", said.err);
}

#[test]
fn two_tables_with_other_columns_are_linked_and_written_as_one() {
    let shell = Shell::new();
    shell.write(
        "a.csv",
        "id,voornaam,achternaam,email\nA1,Jan,de Vries,jan80@example.nl\nA2,Eva,Bos,eva@example.org\n",
    );
    shell.write(
        "b.csv",
        "mail,name,key\neva@example.org,Eva Bos,B2\nJan80@example.nl,J. de Vries,B1\n",
    );
    let said = shell.cx(&[
        "link",
        "a.csv",
        "b.csv",
        "--out",
        "out.csv",
        "--truth",
        "id,key",
        "--truth-number",
        "--json",
    ]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("\"right\":2,\"found\":2,\"true_pairs\":2"), "{}", said.out);
    let out = std::fs::read_to_string(shell.path("out.csv")).unwrap();
    assert_eq!(
        out,
        "person,row,table,id,voornaam,achternaam,email,mail,name,key\n\
         1,1,1,A1,Jan,de Vries,jan80@example.nl,,,\n\
         2,2,1,A2,Eva,Bos,eva@example.org,,,\n\
         2,3,2,,,,,eva@example.org,Eva Bos,B2\n\
         1,4,2,,,,,Jan80@example.nl,J. de Vries,B1\n"
    );
}

#[test]
fn housemates_are_written_apart_and_what_they_share_does_not_count() {
    let shell = Shell::new();
    shell.write(
        "people.csv",
        "name,dob,phone,postcode,city\nJan Smit,1980-03-04,0206241111,3511 AB,Utrecht\n\
         Eva Smit,1982-09-01,0206241111,3511 AB,Utrecht\nHugo Bos,1971-01-02,0301234567,2611 CD,Delft\n",
    );
    let said = shell.cx(&["link", "people.csv", "--household", "homes.csv"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("1 value of phone are used under several names"), "{}", said.out);
    let homes = std::fs::read_to_string(shell.path("homes.csv")).unwrap();
    assert!(homes.lines().nth(1).unwrap().starts_with("household,1,2,"), "{homes}");
    assert_eq!(homes.lines().count(), 2);
}

#[test]
fn thresholds_are_probabilities_or_bits() {
    let shell = Shell::new();
    shop(&shell);
    let linked = |at: &str| {
        let said =
            shell.cx(&["link", "shop.csv", "--link-at", at, "--truth", "who", "--truth-number"]);
        assert_eq!(said.code, 0, "{}", said.err);
        said.out.lines().find(|line| line.starts_with("links: ")).unwrap().to_owned()
    };
    assert_eq!(linked("0.5"), linked("0bits"));
    assert!(linked("0.5").contains("recall 1.0000"));
    assert!(linked("40bits").contains("recall 0.0000"));
    for bad in ["1", "0", "99bits", "much", "nanbits"] {
        assert_eq!(shell.cx(&["link", "shop.csv", "--link-at", bad]).code, 2, "{bad}");
    }
}

#[test]
fn a_model_is_trained_converted_to_splink_and_back_and_weighs_the_same() {
    let shell = Shell::new();
    shop(&shell);
    let train = ["model", "train", "shop.csv", "--column", "who=ignore", "--out", "cx.json"];
    assert_eq!(shell.cx(&train).code, 0);
    let said = shell.cx(&["model", "convert", "cx.json", "splink.json", "--records", "100"]);
    assert!(
        said.out.starts_with("cx.json → splink.json: a model of Splink with 4 comparisons"),
        "{}",
        said.out
    );
    let splink = std::fs::read_to_string(shell.path("splink.json")).unwrap();
    assert!(splink.contains("\\\"first_name_l\\\" = \\\"first_name_r\\\""), "{splink}");
    let said = shell.cx(&["model", "convert", "splink.json", "again.json"]);
    assert!(
        said.out.starts_with("splink.json → again.json: a model of cx with 4 comparisons"),
        "{}",
        said.out
    );
    let link = |model: &str| {
        let said =
            shell.cx(&["link", "shop.csv", "--model", model, "--truth", "who", "--truth-number"]);
        assert_eq!(said.code, 0, "{}", said.err);
        said.out
    };
    assert_eq!(link("cx.json"), link("again.json"));
    assert_eq!(link("cx.json"), link("splink.json"));
}

#[test]
fn a_model_of_splink_with_a_condition_of_its_own_is_refused_with_the_place() {
    let shell = Shell::new();
    shop(&shell);
    shell.write(
        "own.json",
        r#"{"comparisons": [{"output_column_name": "shoe", "comparison_levels": [
            {"sql_condition": "my_function(\"shoe_l\", \"shoe_r\")", "m_probability": 0.9, "u_probability": 0.1}
        ]}]}"#,
    );
    for args in [
        vec!["link", "shop.csv", "--model", "own.json"],
        vec!["model", "convert", "own.json", "cx.json"],
        vec!["model", "show", "own.json"],
    ] {
        let said = shell.cx(&args);
        assert_eq!(said.code, 1, "{args:?}");
        let place =
            "own.json: comparison \"shoe\", level 1: the condition is not understood: my_function";
        assert!(said.err.contains(place), "{}", said.err);
    }
    assert!(!shell.path("cx.json").exists());
}

#[test]
fn columns_that_a_model_compares_are_taken_though_nothing_else_is_known_of_them() {
    let shell = Shell::new();
    shell.write(
        "club.json",
        r#"{"probability_two_random_records_match": 0.1, "comparisons": [
            {"output_column_name": "shirt", "comparison_levels": [
                {"sql_condition": "\"shirt_l\" = \"shirt_r\"", "label_for_charts": "same shirt", "m_probability": 0.8, "u_probability": 0.1},
                {"sql_condition": "ELSE", "m_probability": 0.2, "u_probability": 0.9}]}]}"#,
    );
    shell.write("club.csv", "name,shirt\nJan Smit,10\nJan Smit,10\nEva Bos,7\n");
    let told = shell.cx(&["link", "club.csv", "--model", "club.json", "--explain", "1", "2"]).out;
    assert!(told.contains("shirt: \"10\" and \"10\", exact (so are 80 % of one person's, 10 % of others'): +3.0 bits"), "{told}");
    let shown = shell.cx(&["model", "show", "club.json"]).out;
    assert!(shown.contains("shirt\n    +3.00 bits  exact"), "{shown}");
    // What cx has levels for can be trained further.
    let trained =
        shell.cx(&["model", "train", "club.csv", "--from", "club.json", "--out", "x.json"]);
    assert_eq!(trained.code, 0, "{}", trained.err);
}
