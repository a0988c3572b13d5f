//! Fuzzing: builds the targets of `fuzz/` on the Rust that is there, runs them, and tells what they
//! did.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Failure, root, target};

/// What makes the compiler count the edges that a program takes and tell the comparisons that it
/// makes. Stable Rust can do that, and links `libFuzzer`.
const COVERAGE: &[&str] = &[
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// How long each target runs in CI.
const SMOKE: Duration = Duration::from_secs(2);

/// An input that takes longer than this is a finding.
const SLOW: &str = "25";

/// Runs one target, or all, so many seconds each.
pub(crate) fn fuzz(names: &str, seconds: u64) -> Result<(), Failure> {
    can_build()?;
    let fuzz = Fuzz::prepare("release", root().join("fuzz").join("corpus"))?;
    fuzz.run(names, Duration::from_secs(seconds), "0")
}

/// The targets for a run of some seconds each, from the seeds alone; `None` where there is no
/// compiler for `libFuzzer`.
pub(crate) fn smoke() -> Result<Option<Fuzz>, Failure> {
    if let Err(reason) = can_build() {
        eprintln!("fuzzing is skipped: {reason}");
        return Ok(None);
    }
    let corpora = target().join("fuzz").join("smoke");
    drop(fs::remove_dir_all(&corpora));
    Fuzz::prepare("smoke", corpora).map(Some)
}

/// Whether the compilers here can make a fuzz target: Rust with coverage, and C++ for `libFuzzer`.
fn can_build() -> Result<(), Failure> {
    let folder = target().join("fuzz").join("probe");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let probe = |name: &str, text: &str| -> Result<PathBuf, Failure> {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    };
    let rust = probe("probe.rs", "pub fn probe(n: u32) -> bool { n == 7 }\n")?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut compile = Command::new(rustc);
    compile.args(COVERAGE).args(["--crate-type=rlib", "--out-dir"]).arg(&folder).arg(&rust);
    quietly(compile).map_err(|why| format!("this Rust cannot count coverage: {why}"))?;
    let cpp =
        probe("probe.cpp", "#include <vector>\nint probe() { return std::vector<int>{7}[0]; }\n")?;
    let cxx = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let mut compile = Command::new(cxx);
    compile.args(["-std=c++17", "-c", "-o"]).arg(folder.join("probe.o")).arg(&cpp);
    quietly(compile).map_err(|why| {
        format!("libFuzzer needs a C++ compiler (Debian and Ubuntu: install g++): {why}")
    })
}

fn quietly(mut command: Command) -> Result<(), Failure> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("no reason given");
    if output.status.success() { Ok(()) } else { Err(first.to_owned()) }
}

/// The targets, built, with their seeds.
pub(crate) struct Fuzz {
    programs: PathBuf,
    corpora: PathBuf,
    dictionaries: PathBuf,
}

/// What a target did.
#[derive(Default)]
struct Outcome {
    /// What `libFuzzer` says at the end: `number_of_executed_units` and others.
    stats: BTreeMap<String, u64>,
    edges: u64,
    corpus: u64,
    findings: Vec<PathBuf>,
    seconds: u64,
}

impl Fuzz {
    /// Builds all targets by this profile, and puts the seeds into their corpora.
    fn prepare(profile: &str, corpora: PathBuf) -> Result<Self, Failure> {
        let host = host()?;
        let folder = target().join("fuzz");
        let dictionaries = folder.join("dictionaries");
        let (to, words) = (corpora.to_string_lossy(), dictionaries.to_string_lossy());
        // As the tests build it, so that it is there already behind them: `run` takes one package,
        // whose dependencies then have other features.
        let program = ["build", "--workspace", "--locked", "--example", "fuzz_seeds"];
        crate::cargo_with(&[&program[..], &["--features", crate::FEATURES]].concat(), &[])?;
        let program = target()
            .join("debug")
            .join("examples")
            .join(format!("fuzz_seeds{}", std::env::consts::EXE_SUFFIX));
        crate::run(program, &[&to, &words], &[])?;
        let before = std::env::var("RUSTFLAGS").unwrap_or_default();
        let flags = format!("{before} {}", COVERAGE.join(" "));
        // The folder of its own keeps the other builds; the triple keeps coverage out of build
        // scripts.
        crate::cargo(
            [
                "build",
                "--profile",
                profile,
                "--locked",
                "--manifest-path",
                "fuzz/Cargo.toml",
                "--target-dir",
                &folder.to_string_lossy(),
                "--target",
                &host,
            ],
            &[("RUSTFLAGS", flags.trim())],
        )?;
        Ok(Self { programs: folder.join(host).join(profile), corpora, dictionaries })
    }

    /// Runs every target for some seconds, with the same chances each time.
    pub(crate) fn run_smoke(&self) -> Result<(), Failure> {
        self.run("all", SMOKE, "1")
    }

    fn run(&self, names: &str, time: Duration, seed: &str) -> Result<(), Failure> {
        let known = targets()?;
        let chosen: Vec<&String> =
            known.iter().filter(|name| names == "all" || names == name.as_str()).collect();
        if chosen.is_empty() {
            return Err(format!("no fuzz target {names:?}: all, {}", known.join(", ")));
        }
        eprintln!("| target | executions | a second | edges | corpus | findings |");
        eprintln!("| --- | --: | --: | --: | --: | --: |");
        // A target takes one core: so many run at a time, and each tells when it has ended.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (waiting, findings) = (Mutex::new(chosen.into_iter()), Mutex::new(Vec::new()));
        let work = || -> Result<(), Failure> {
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(name) = next else { return Ok(()) };
                let outcome = self.one(name, time, seed)?;
                eprintln!("{}", outcome.row(name));
                findings.lock().unwrap_or_else(PoisonError::into_inner).extend(outcome.findings);
            }
        };
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            let stopped = |_| "a thread that runs targets has stopped".to_owned();
            running.into_iter().try_for_each(|thread| thread.join().map_err(stopped)?)
        })?;
        let findings = findings.into_inner().unwrap_or_else(PoisonError::into_inner);
        if findings.is_empty() {
            return Ok(());
        }
        let listed: Vec<String> = findings.iter().map(|it| it.display().to_string()).collect();
        Err(format!(
            "{} found. Fix it, and keep the input in tests/fuzz-findings/TARGET:\n{}",
            findings.len(),
            listed.join("\n")
        ))
    }

    /// Runs a target until the time is over or something is found, which is then made small.
    fn one(&self, name: &str, time: Duration, seed: &str) -> Result<Outcome, Failure> {
        let artifacts = root().join("fuzz").join("artifacts").join(name);
        let make = |folder: &Path| {
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
        };
        make(&artifacts)?;
        let corpus = self.corpora.join(name);
        make(&corpus)?;
        let before = entries(&artifacts);
        let started = Instant::now();
        let mut command = Command::new(self.programs.join(name));
        command
            .current_dir(root())
            .args(["-print_final_stats=1", &format!("-timeout={SLOW}"), &format!("-seed={seed}")])
            .arg(format!("-max_total_time={}", time.as_secs()))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(format!("-dict={}", self.dictionaries.join(format!("{name}.dict")).display()))
            .arg(&corpus)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let output = command.output().map_err(|error| format!("{name}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let mut outcome = Outcome::read(&said);
        outcome.seconds = started.elapsed().as_secs().max(1);
        outcome.findings =
            entries(&artifacts).into_iter().filter(|it| !before.contains(it)).collect();
        if outcome.findings.is_empty() && !output.status.success() {
            return Err(format!("{name} ended with {}:\n{}", output.status, last(&said)));
        }
        for finding in &mut outcome.findings {
            eprintln!("{}", last(&said));
            *finding = self.minimised(name, finding)?;
        }
        Ok(outcome)
    }

    /// A smaller input that does the same; the input itself where none is found in a while.
    fn minimised(&self, name: &str, finding: &Path) -> Result<PathBuf, Failure> {
        let small = finding.with_extension("small");
        let mut command = Command::new(self.programs.join(name));
        command
            .current_dir(root())
            .args(["-minimize_crash=1", "-max_total_time=30", &format!("-timeout={SLOW}")])
            .arg(format!("-exact_artifact_path={}", small.display()))
            .arg(finding)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let _status = command.status().map_err(|error| format!("{name}: {error}"))?;
        Ok(if small.exists() { small } else { finding.to_owned() })
    }
}

impl Outcome {
    /// Reads what `libFuzzer` says: `#4096 DONE cov: 1042 ft: 3120 corp: 311/24Kb …`, and the
    /// statistics at the end.
    fn read(said: &str) -> Self {
        let mut outcome = Self::default();
        for line in said.lines() {
            if let Some(stat) = line.strip_prefix("stat::") {
                let (name, value) = stat.split_once(':').unwrap_or((stat, ""));
                outcome.stats.insert(name.to_owned(), value.trim().parse().unwrap_or(0));
            }
            let number = |label: &str| {
                let (_, rest) = line.split_once(label)?;
                rest.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
            };
            if line.starts_with('#') {
                outcome.edges = number(" cov:").unwrap_or(outcome.edges);
                outcome.corpus = number(" corp:").unwrap_or(outcome.corpus);
            }
        }
        outcome
    }

    fn row(&self, name: &str) -> String {
        let stat = |name: &str| self.stats.get(name).copied().unwrap_or(0);
        let executions = stat("number_of_executed_units");
        format!(
            "| {name} | {executions} | {} | {} | {} | {} |",
            executions / self.seconds.max(1),
            self.edges,
            self.corpus,
            self.findings.len()
        )
    }
}

/// The targets there are, sorted.
fn targets() -> Result<Vec<String>, Failure> {
    let folder = root().join("fuzz").join("fuzz_targets");
    let names: Vec<String> = entries(&folder)
        .iter()
        .filter_map(|path| path.file_stem().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    if names.is_empty() { Err(format!("{}: no targets", folder.display())) } else { Ok(names) }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The last lines of what a target said.
fn last(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
}

/// The triple of this machine, as the compiler names it.
fn host() -> Result<String, Failure> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout);
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not name its host".to_owned())
}
