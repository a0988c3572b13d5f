//! A disk that fails on purpose: it knows what was synced, and what would be left after a power
//! loss at this instant.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cx_tests::chance::Chance;

/// The least that a disk writes at once.
const SECTOR: usize = 512;

/// What is asked of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Open,
    Read,
    Write,
    Cut,
    Sync,
    Delete,
}

/// What goes wrong, at the n-th operation that it can befall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The power fails; nothing works from then on.
    PowerLoss,
    /// A read fails once.
    ReadFails,
    /// A write fails once, and has written nothing.
    WriteFails,
    /// A write fails once, and has written the first half.
    HalfWritten,
    /// A sync fails once; what was written since the last one is on the disk no more, though it
    /// can still be read until the power fails.
    SyncFails,
    /// No file can grow from then on, until there is space again.
    Full,
    /// A file cannot be opened, once.
    OpenFails,
}

impl Fault {
    pub(crate) const ALL_BUT_POWER: [Self; 6] = [
        Self::ReadFails,
        Self::WriteFails,
        Self::HalfWritten,
        Self::SyncFails,
        Self::Full,
        Self::OpenFails,
    ];

    const fn befalls(self, op: Op) -> bool {
        match self {
            Self::PowerLoss => matches!(op, Op::Write | Op::Cut | Op::Sync | Op::Delete),
            Self::ReadFails => matches!(op, Op::Read),
            Self::WriteFails | Self::HalfWritten | Self::Full => matches!(op, Op::Write),
            Self::SyncFails => matches!(op, Op::Sync),
            Self::OpenFails => matches!(op, Op::Open),
        }
    }
}

/// In which way the disk, or whoever set it up, cannot be relied on: the controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// It does what it says.
    None,
    /// It says that it has synced, and has not.
    SyncsNothing,
    /// The database engine is told to sync nothing (`PRAGMA synchronous = OFF`).
    SynchronousOff,
}

/// What a disk does about an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Do,
    /// Fails, and has done nothing.
    Fail,
    /// Fails, and has done the first half.
    FailHalfway,
    /// There is no space left.
    NoSpace,
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Cut { length: usize },
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                if file.len() < at + bytes.len() {
                    file.resize(at + bytes.len(), 0);
                }
                file[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Self::Cut { length } => file.truncate(*length),
        }
    }

    /// What the disk may do of it on its own.
    fn sectors(&self) -> Vec<Self> {
        let Self::Write { at, bytes } = self else { return vec![self.clone()] };
        let (mut sectors, mut done) = (Vec::new(), 0);
        while done < bytes.len() {
            let end = (done + SECTOR - (at + done) % SECTOR).min(bytes.len());
            sectors.push(Self::Write { at: at + done, bytes: bytes[done..end].to_vec() });
            done = end;
        }
        sectors
    }
}

/// A file: what is certainly on the disk, and what was asked for since.
#[derive(Debug, Clone, Default)]
struct Image {
    durable: Vec<u8>,
    pending: Vec<Change>,
    length: usize,
    /// Its name is in the folder only once the folder was synced.
    is_new: bool,
    is_deleted: bool,
}

impl Image {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            change.apply(&mut self.durable);
        }
    }

    /// What a power loss leaves of it.
    fn left(&self, chance: &mut Chance) -> Vec<u8> {
        let mut left = self.durable.clone();
        let survives = *chance.one_of(&[0, 100, 500, 900, 1_000]);
        let is_torn = chance.happens(500);
        let mut changes: Vec<Change> = if is_torn {
            self.pending.iter().flat_map(Change::sectors).collect()
        } else {
            self.pending.clone()
        };
        if chance.happens(500) {
            chance.shuffle(&mut changes);
        }
        for change in changes.iter().filter(|_| chance.happens(survives)) {
            change.apply(&mut left);
        }
        left
    }
}

#[derive(Debug)]
struct State {
    fault: Fault,
    /// Which of the operations that the fault can befall goes wrong.
    at: u64,
    lie: Lie,
    /// How many of them there were.
    seen: u64,
    is_off: bool,
    is_full: bool,
    files: BTreeMap<String, Image>,
}

/// A disk with one folder.
#[derive(Debug)]
pub(crate) struct Disk(Mutex<State>);

impl Disk {
    /// A disk on which the n-th operation that the fault can befall goes wrong.
    pub(crate) fn new(fault: Fault, at: u64, lie: Lie) -> Self {
        let files = BTreeMap::new();
        let (seen, is_off, is_full) = (0, false, false);
        Self(Mutex::new(State { fault, at, lie, seen, is_off, is_full, files }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations there were that the fault can befall.
    pub(crate) fn seen(&self) -> u64 {
        self.state().seen
    }

    pub(crate) fn is_off(&self) -> bool {
        self.state().is_off
    }

    pub(crate) fn lie(&self) -> Lie {
        self.state().lie
    }

    /// Nothing goes wrong from here on.
    pub(crate) fn heal(&self) {
        let mut state = self.state();
        state.at = u64::MAX;
        state.is_full = false;
    }

    pub(crate) fn cut_power(&self) {
        self.state().is_off = true;
    }

    /// Asks before an operation. A power loss in the middle of a write has perhaps written it.
    pub(crate) fn ask(&self, op: Op, file: &str, grows_to: usize) -> Answer {
        let mut state = self.state();
        if state.is_off {
            return Answer::Fail;
        }
        let fault = state.fault;
        let mut is_now = false;
        if fault.befalls(op) {
            is_now = state.seen == state.at;
            state.seen += 1;
        }
        let grows = state.files.get(file).is_some_and(|image| grows_to > image.length);
        match fault {
            Fault::Full if is_now || state.is_full => {
                state.is_full = true;
                if op == Op::Write && grows { Answer::NoSpace } else { Answer::Do }
            }
            _ if !is_now => Answer::Do,
            Fault::PowerLoss => {
                state.is_off = true;
                Answer::Fail
            }
            Fault::HalfWritten => Answer::FailHalfway,
            Fault::SyncFails => {
                if let Some(image) = state.files.get_mut(file) {
                    image.pending.clear();
                }
                Answer::Fail
            }
            _ => Answer::Fail,
        }
    }

    /// Notes that a file was opened, with what was in it.
    pub(crate) fn opened(&self, file: &str, found: Option<Vec<u8>>) {
        let mut state = self.state();
        if state.files.get(file).is_none_or(|image| image.is_deleted) {
            let is_new = found.is_none();
            let durable = found.unwrap_or_default();
            let length = durable.len();
            let image = Image { durable, length, is_new, ..Image::default() };
            state.files.insert(file.to_owned(), image);
        }
    }

    pub(crate) fn written(&self, file: &str, at: usize, bytes: &[u8]) {
        if let Some(image) = self.state().files.get_mut(file) {
            image.length = image.length.max(at + bytes.len());
            image.pending.push(Change::Write { at, bytes: bytes.to_vec() });
        }
    }

    pub(crate) fn cut(&self, file: &str, length: usize) {
        if let Some(image) = self.state().files.get_mut(file) {
            image.length = length;
            image.pending.push(Change::Cut { length });
        }
    }

    pub(crate) fn synced(&self, file: &str) {
        let mut state = self.state();
        if state.lie == Lie::SyncsNothing {
            return;
        }
        let Some(image) = state.files.get_mut(file) else { return };
        image.sync();
        // The engine syncs the folder too when it syncs a new journal.
        if image.is_new && (file.ends_with("-wal") || file.ends_with("-journal")) {
            state.sync_folder();
        }
    }

    pub(crate) fn deleted(&self, file: &str, folder_too: bool) {
        let mut state = self.state();
        if let Some(image) = state.files.get_mut(file) {
            image.is_deleted = true;
        }
        if folder_too && state.lie != Lie::SyncsNothing {
            state.sync_folder();
        }
    }

    /// Writes what a power loss leaves of the files into a folder.
    pub(crate) fn leave(&self, folder: &Path, chance: &mut Chance) {
        for (name, image) in &self.state().files {
            let is_there = match (image.is_new, image.is_deleted) {
                (false, false) => true,
                (true, true) => false,
                // The folder was not synced since.
                (true, false) | (false, true) => chance.happens(500),
            };
            if is_there {
                std::fs::write(folder.join(name), image.left(chance)).unwrap();
            }
        }
    }
}

impl State {
    fn sync_folder(&mut self) {
        self.files.retain(|_, image| !image.is_deleted);
        for image in self.files.values_mut() {
            image.is_new = false;
        }
    }
}
