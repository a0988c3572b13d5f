//! Writes the seeds of every fuzz target, what fuzzing has found, and a dictionary of the words in
//! them: `cargo run -p cx-tests --example fuzz_seeds -- CORPORA DICTIONARIES`.

use std::path::Path;

use cx_tests::fuzzing::{TARGETS, words};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folders: Vec<String> = std::env::args().skip(1).collect();
    let [corpora, dictionaries] = folders.as_slice() else {
        return Err("usage: fuzz_seeds CORPORA DICTIONARIES".into());
    };
    std::fs::create_dir_all(dictionaries)?;
    for target in TARGETS {
        let corpus = Path::new(corpora).join(target.name);
        std::fs::create_dir_all(&corpus)?;
        let seeds = (target.seeds)();
        for seed in &seeds {
            std::fs::write(corpus.join(&seed.name), &seed.bytes)?;
        }
        let lines: Vec<String> = words(&seeds).iter().map(|word| format!("\"{word}\"")).collect();
        let dictionary = Path::new(dictionaries).join(format!("{}.dict", target.name));
        std::fs::write(dictionary, lines.join("\n") + "\n")?;
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz-findings").join(target.name);
        for finding in std::fs::read_dir(kept).into_iter().flatten() {
            let finding = finding?;
            let name = format!("kept-{}", finding.file_name().to_string_lossy());
            std::fs::copy(finding.path(), corpus.join(name))?;
        }
    }
    Ok(())
}
