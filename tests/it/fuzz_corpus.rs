//! What fuzzing checks, checked on its seeds and on everything that it has found.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cx_tests::fuzzing::TARGETS;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn every_seed_keeps_what_is_promised() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for seed in seeds {
            println!("{}: {}", target.name, seed.name);
            (target.check)(&seed.bytes);
        }
        (target.check)(b"");
    }
}

#[test]
fn what_fuzzing_has_found_stays_found() {
    let mut n = 0;
    for target in TARGETS {
        let folder = tests().join("fuzz-findings").join(target.name);
        for finding in std::fs::read_dir(folder).into_iter().flatten() {
            let path = finding.unwrap().path();
            println!("{}", path.display());
            (target.check)(&std::fs::read(path).unwrap());
            n += 1;
        }
    }
    assert!(n > 0, "no finding is kept");
}

#[test]
fn every_target_is_fuzzed_and_every_finding_belongs_to_one() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let of = |folder: PathBuf| -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().path());
        names.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(of(tests().join("../fuzz/fuzz_targets")), names);
    assert!(of(tests().join("fuzz-findings")).is_subset(&names));
    let manifest = std::fs::read_to_string(tests().join("../fuzz/Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let body = tests().join(format!("../fuzz/fuzz_targets/{name}.rs"));
        let body = std::fs::read_to_string(body).unwrap();
        assert!(body.contains(&format!("check(\"{name}\", bytes)")), "{name}: {body}");
    }
}
