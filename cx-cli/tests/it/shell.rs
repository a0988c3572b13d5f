//! A folder of its own, and the command run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// While Jan is on the phone.
pub(crate) const NOW: &str = "2026-03-04T10:05:00+01:00";

/// A folder that goes away with the test.
pub(crate) struct Shell(tempfile::TempDir);

/// What a command said, and how it ended.
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `cx` with these arguments.
    pub(crate) fn cx(&self, args: &[&str]) -> Said {
        self.cx_with(&[], args)
    }

    /// Runs `cx` with these variables in its environment.
    pub(crate) fn cx_with(&self, variables: &[(&str, &str)], args: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_cx"))
            .args(args)
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .env_remove("CX_KEY_FILE")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap(),
        }
    }

    /// Runs `cx` at the instant of the story; it must end well.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let mut all = vec!["--now", NOW];
        all.extend(args);
        let said = self.cx(&all);
        assert_eq!(said.code, 0, "{args:?}: {}", said.err);
        said.out
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// A file of the demo's story.
pub(crate) fn payload(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo").join(name).display().to_string()
}
