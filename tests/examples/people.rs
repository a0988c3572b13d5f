//! Writes a table of invented persons with the truth in a column:
//! `cargo run --release -p cx-tests --example people -- RECORDS SEED OUT.csv`.

use std::fs::File;
use std::io::{BufWriter, Write};

use cx_tests::people::{PersonRecord, people};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [records, seed, path] = words.as_slice() else {
        return Err("usage: people RECORDS SEED OUT.csv".into());
    };
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "{}", PersonRecord::HEADER)?;
    for record in people(records.parse()?, seed.parse()?) {
        writeln!(out, "{}", record.to_csv())?;
    }
    Ok(out.flush()?)
}
