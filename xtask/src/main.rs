//! The project's own tasks, run as `cargo xtask TASK`.
//!
//! Needs cargo and Python 3.10 or newer only: the Python tools are installed into `.venv` on
//! first use.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "a command-line tool reports to its user")]

mod fuzz;

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask TASK

  setup     make .venv and build the Python package into it
  test      run every test: Rust, documentation, Python
  lint      formatting, clippy, rustdoc, Python lint, types and stubs
  ci        lint and test, and some seconds of every fuzz target
  bench     measure: `bench identity [--people N] [--seed S] [--stream FILE]` against targets and Splink,
            `bench splink RECORDS SEED` beside Splink (from PyPI) on an invented table,
            `bench store [--events N] [--seed S] [--keep FOLDER]` how the store bears load,
            `bench criterion [FILTER]` its single calls, compared with the run before,
            `bench store-peers [EVENTS]` the same job by hand in Python, end to end, and a scan of it
  laws      try every law of the property tests on other cases, 20 times as many (`laws [TIMES] [FILTER]`)
  crash     kill a writing process 1,000 times (`crash [KILLS] [SEED]`) and look for what it had acknowledged
  faults    lose power, tear writes, fail syncs, fill the disk at every operation (`faults [POINTS] [SEED]`, 10,000 points)
  encryption  test and lint with the engine that can encrypt (needs perl and make, and some minutes the first time)
  fuzz      feed any bytes to every door (`fuzz [TARGET|all] [SECONDS]`, 60 seconds a target; `fuzz smoke` as in ci)
  wheel     build an installable Python wheel into dist/
  bless     rewrite the golden files from what the tests produce";

/// Every feature but `encryption`, which is another engine: `cargo xtask encryption`.
const FEATURES: &str = "cx-core/schema";

/// Why a task stopped.
type Failure = String;

fn main() -> ExitCode {
    let task = env::args().nth(1).unwrap_or_default();
    let done = match task.as_str() {
        "setup" => setup(APART),
        "test" => setup(APART).and_then(|()| test()),
        "lint" => setup(APART).and_then(|()| lint()),
        "ci" => ci(),
        "bench" => bench(),
        "laws" => laws(),
        "crash" => crash(),
        "faults" => faults(),
        "encryption" => encryption(),
        "fuzz" => fuzz(),
        "wheel" => wheel(),
        "bless" => bless(),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Where the Python package is built: maturin's environment would make cargo rebuild pyo3 at every
/// switch.
const APART: &str = "target/python";

/// Everything, once: what both builds have in common is built once too.
fn ci() -> Result<(), Failure> {
    setup("target")?;
    lint()?;
    rust_tests()?;
    // Python's tests take one core, so that the fuzz targets are built beside them.
    let (built, tested) = std::thread::scope(|scope| {
        let built = scope.spawn(fuzz::smoke);
        let tested = python_tests();
        (built.join(), tested)
    });
    tested?;
    let built = built.map_err(|_| "the build of the fuzz targets has stopped".to_owned())??;
    built.map_or(Ok(()), |targets| targets.run_smoke())
}

/// Makes `.venv` with the Python tools, and builds the package into it, in this target folder.
fn setup(folder: &str) -> Result<(), Failure> {
    tools()?;
    python([
        "-m",
        "maturin",
        "develop",
        "--quiet",
        "--locked",
        "--manifest-path",
        "cx-py/Cargo.toml",
        "--target-dir",
        folder,
        // What is optimised for the Rust tests is built twice otherwise, and longer.
        "--config",
        "profile.dev.package.cx-core.opt-level=0",
        "--config",
        "profile.dev.package.cx-store.opt-level=0",
    ])
}

/// Makes `.venv` and installs what `requirements-dev.txt` names, unless that is done already.
fn tools() -> Result<(), Failure> {
    let requirements = "cx-py/requirements-dev.txt";
    let wanted = std::fs::read_to_string(root().join(requirements))
        .map_err(|error| format!("{requirements}: {error}"))?;
    let stamp = root().join(".venv").join("requirements.stamp");
    if std::fs::read_to_string(&stamp).unwrap_or_default() == wanted {
        return Ok(());
    }
    let python3 = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    run(python3, &["-m", "venv", "--clear", ".venv"], &[])
        .map_err(|failure| format!("{failure}\n(Debian and Ubuntu: install python3-venv)"))?;
    python(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements])?;
    std::fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
}

fn test() -> Result<(), Failure> {
    rust_tests()?;
    python_tests()
}

/// The laws try the same cases in every run, so that what fails is what was changed. Others are
/// tried by [`laws`].
fn rust_tests() -> Result<(), Failure> {
    let with = &[("INSTA_UPDATE", "no"), ("PROPTEST_RNG_SEED", "1")];
    cargo(["test", "--workspace", "--locked", "--features", FEATURES], with)
}

/// Draws new cases for every law, so many times as many as a test run tries.
fn laws() -> Result<(), Failure> {
    let mut words = env::args().skip(2);
    let times = words.next().unwrap_or_else(|| "20".to_owned());
    let filter = words.next().unwrap_or_default();
    let number: u32 = times.parse().map_err(|_| format!("{times:?} is no number of times"))?;
    // What has no number of its own tries 256 cases.
    let cases = number.saturating_mul(256).to_string();
    let with = &[("INSTA_UPDATE", "no"), ("CX_LAWS", &*times), ("PROPTEST_CASES", &*cases)];
    let tests = ["test", "--workspace", "--locked", "--no-fail-fast", "--features", FEATURES];
    cargo_with(&[&tests[..], &["--tests", "--", &filter]].concat(), with)
}

fn python_tests() -> Result<(), Failure> {
    python(["-m", "pytest", "-c", "cx-py/pyproject.toml", "--rootdir", ".", "tests/python"])
}

fn lint() -> Result<(), Failure> {
    let deny = &[("RUSTDOCFLAGS", "-D warnings")];
    cargo(["fmt", "--all", "--check"], &[])?;
    cargo(
        [
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            FEATURES,
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
        &[],
    )?;
    cargo(
        ["clippy", "-p", "cx-core", "--no-default-features", "--locked", "--", "-D", "warnings"],
        &[],
    )?;
    cargo(["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"], deny)?;
    python(["-m", "ruff", "check", "--config", "cx-py/pyproject.toml", "cx-py", "tests/python"])?;
    python([
        "-m",
        "ruff",
        "format",
        "--check",
        "--config",
        "cx-py/pyproject.toml",
        "cx-py",
        "tests/python",
    ])?;
    python([
        "-m",
        "mypy",
        "--config-file",
        "cx-py/pyproject.toml",
        "cx-py/python",
        "tests/python",
    ])?;
    python([
        "-m",
        "mypy.stubtest",
        "--mypy-config-file",
        "cx-py/pyproject.toml",
        "cxcontext._native",
    ])
}

/// Runs one benchmark; what stands behind its name is for the benchmark to read.
fn bench() -> Result<(), Failure> {
    let words: Vec<String> = env::args().skip(2).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [name @ ("identity" | "store"), options @ ..] => {
            let mut args = vec!["bench", "--locked", "-p", "cx-tests", "--bench", name, "--"];
            args.extend(options);
            let ours = cargo_with(&args, &[]);
            // Both are told, also where the first misses a target.
            let beside = if *name == "identity" { splink("100000", "1") } else { Ok(()) };
            ours.and(beside)
        }
        ["criterion", options @ ..] => {
            let criterion = ["bench", "--locked", "-p", "cx-tests", "--features", "criterion"];
            cargo_with(&[&criterion[..], &["--bench", "criterion", "--"], options].concat(), &[])
        }
        ["splink", records, seed] => splink(records, seed),
        ["store-peers"] => store_peers("1000000"),
        ["store-peers", events] => store_peers(events),
        _ => Err(USAGE.to_owned()),
    }
}

/// The Python of an environment of its own in the target folder, made with these packages on first
/// use.
fn environment(name: &str, packages: &[&str]) -> Result<PathBuf, Failure> {
    let environment = target().join(name);
    let bin = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let stamp = environment.join("made");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        let python3 = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        run(python3, &["-m", "venv", "--clear", &environment.to_string_lossy()], &[])?;
        run(&bin, &[&["-m", "pip", "install", "--quiet"], packages].concat(), &[])?;
        std::fs::write(&stamp, &wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    }
    Ok(bin)
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into)
}

/// What the same job by hand is done with. DuckDB's extensions are loaded by the version they are
/// made for only.
const PEERS: [&str; 6] = [
    "maturin==1.16.0",
    "sqlalchemy==2.*",
    "pandas==3.*",
    "pyarrow",
    "duckdb==1.5.5",
    "duckdb-extension-sqlite-scanner==1.5.5",
];

/// Makes the events of a company, builds cx as it is released, and runs the same job by hand and
/// with cx over them.
fn store_peers(events: &str) -> Result<(), Failure> {
    let bin = environment("store-venv", &PEERS)?;
    let target = target();
    let file = target.join(format!("events-{events}.jsonl"));
    let (file, target_dir) = (file.to_string_lossy(), target.to_string_lossy());
    cargo(["build", "--release", "--locked", "-p", "cx-cli"], &[])?;
    let cx = target.join("release").join(format!("cx{}", env::consts::EXE_SUFFIX));
    run(&cx, &["generate", "--events", events, "--out", &file], &[])?;
    // What it has in common with the command is built already.
    let wheels = target.join("store-wheels");
    let wheels = wheels.to_string_lossy();
    let package = ["-m", "maturin", "build", "--release", "--locked", "--out", &wheels];
    let places = ["--manifest-path", "cx-py/Cargo.toml", "--target-dir", &target_dir];
    run(&bin, &[&package[..], &places[..]].concat(), &[])?;
    let install = ["-m", "pip", "install", "--quiet", "--no-index", "--force-reinstall"];
    run(&bin, &[&install[..], &["--find-links", &wheels, "cx-context"]].concat(), &[])?;
    run(&bin, &["tests/benches/store_peers.py", &file, &cx.to_string_lossy()], &[])
}

/// Makes a table of persons, and an environment with Splink on first use, and runs it.
fn splink(records: &str, seed: &str) -> Result<(), Failure> {
    let bin = environment("splink-venv", &["splink==5.*", "duckdb", "pandas"])?;
    let target = target();
    let table = target.join(format!("people-{records}-{seed}.csv"));
    let table = table.to_string_lossy();
    cargo(
        [
            "run",
            "--release",
            "--locked",
            "-p",
            "cx-tests",
            "--example",
            "people",
            "--",
            records,
            seed,
            &table,
        ],
        &[],
    )?;
    cargo(["build", "--release", "--locked", "-p", "cx-cli"], &[])?;
    let cx = target.join("release").join(format!("cx{}", env::consts::EXE_SUFFIX));
    let cx = cx.to_string_lossy();
    run(&bin, &["tests/benches/splink_people.py", &table, "--beside", &cx], &[])
}

/// Kills a writing process that often, at moments drawn from that seed.
fn crash() -> Result<(), Failure> {
    let mut words = env::args().skip(2);
    let kills = words.next().unwrap_or_else(|| "1000".to_owned());
    let seed = words.next().unwrap_or_else(|| "1".to_owned());
    cargo(
        [
            "test",
            "--release",
            "--locked",
            "-p",
            "cx-tests",
            "--test",
            "it",
            "--",
            "store_crash",
            "--nocapture",
        ],
        &[("CX_CRASH_CYCLES", &kills), ("CX_CRASH_SEED", &seed)],
    )
}

fn faults() -> Result<(), Failure> {
    let mut words = env::args().skip(2);
    let points = words.next().unwrap_or_else(|| "10000".to_owned());
    let seed = words.next().unwrap_or_else(|| "1".to_owned());
    cargo(
        [
            "test",
            "--release",
            "--locked",
            "-p",
            "cx-tests",
            "--test",
            "faults",
            "--",
            "--nocapture",
        ],
        &[("CX_FAULT_POINTS", &points), ("CX_FAULT_SEED", &seed)],
    )
}

/// Tests and lints what is another program with the engine that can encrypt, in a folder of its own:
/// cargo would build SQLite anew at every switch.
fn encryption() -> Result<(), Failure> {
    let folder = target().join("encryption");
    let place = &[("CARGO_TARGET_DIR", &*folder.to_string_lossy()), ("INSTA_UPDATE", "no")];
    let tests = ["test", "--locked", "--features", "encryption"];
    // Crashes, failing disks and long lives are then those of encrypted files, too.
    cargo_with(&[&tests[..], &["-p", "cx-store", "-p", "cx-tests", "--tests"]].concat(), place)?;
    let command = ["-p", "cx-cli", "--test", "it", "--", "encryption"];
    cargo_with(&[&tests[..], &command[..]].concat(), place)?;
    let lint = ["clippy", "--locked", "--all-targets", "--features", "encryption"];
    let crates = ["-p", "cx-store", "-p", "cx-cli", "-p", "cx-tests", "--", "-D", "warnings"];
    cargo_with(&[&lint[..], &crates[..]].concat(), place)
}

fn fuzz() -> Result<(), Failure> {
    let mut words = env::args().skip(2);
    let names = words.next().unwrap_or_else(|| "all".to_owned());
    let seconds = words.next().unwrap_or_else(|| "60".to_owned());
    let seconds = seconds.parse().map_err(|_| format!("{seconds:?} is no number of seconds"))?;
    if names == "smoke" {
        return fuzz::smoke()?.map_or(Ok(()), |targets| targets.run_smoke());
    }
    fuzz::fuzz(&names, seconds)
}

fn wheel() -> Result<(), Failure> {
    tools()?;
    python([
        "-m",
        "maturin",
        "build",
        "--release",
        "--locked",
        "--manifest-path",
        "cx-py/Cargo.toml",
        "--target-dir",
        "target/python",
        "--out",
        "dist",
    ])
}

fn bless() -> Result<(), Failure> {
    let bless = &[("INSTA_UPDATE", "always"), ("CX_BLESS", "1")];
    cargo(["test", "--workspace", "--locked", "--features", FEATURES], bless)
}

fn cargo<const N: usize>(args: [&str; N], with: &[(&str, &str)]) -> Result<(), Failure> {
    cargo_with(&args, with)
}

fn cargo_with(args: &[&str], with: &[(&str, &str)]) -> Result<(), Failure> {
    run(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), args, with)
}

/// Runs the Python of `.venv`; maturin finds the environment by the interpreter that runs it.
fn python<const N: usize>(args: [&str; N]) -> Result<(), Failure> {
    let program = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    run(root().join(".venv").join(program), &args, &[])
}

fn run(program: impl AsRef<OsStr>, args: &[&str], with: &[(&str, &str)]) -> Result<(), Failure> {
    let shown = format!("{} {}", Path::new(program.as_ref()).display(), args.join(" "));
    eprintln!("$ {shown}");
    let status = Command::new(&program)
        .args(args)
        .current_dir(root())
        // Set but missing environments break pyo3's build script.
        .env_remove("VIRTUAL_ENV")
        .envs(with.iter().copied())
        .status()
        .map_err(|error| format!("{shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("failed ({status}): {shown}")) }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new(".")).to_owned()
}
