//! Importing: the records of a whole import are taken in batch by batch, while the next is read.

use std::fmt;
use std::mem;
use std::ops::ControlFlow;
use std::thread::{self, ScopedJoinHandle};

use cx_core::event::Event;

use crate::error::StoreError;
use crate::ingest::{Incoming, Text};
use crate::report::{IngestReport, Recording};
use crate::store::Store;

/// How many events of an import are taken in at once, at first and at most. Each batch dirties
/// pages all over the indexes, so that larger ones cost less by the event, and more memory.
const BATCH: (usize, usize) = (10_000, 50_000);

/// With so many bytes of text a batch is full, whatever the number of its events.
const BATCH_TEXT: usize = 32 << 20;

/// What was read and is not taken in yet.
#[derive(Default)]
struct Batch {
    /// With their texts: they are written on the thread that reads.
    events: Vec<(Event, Text)>,
    n_bytes: usize,
    /// What was wrong with records among them.
    rejected: IngestReport,
}

impl Batch {
    fn take<E: fmt::Display>(&mut self, record: Result<Event, E>) {
        match record {
            Ok(event) => {
                let text = event.text_and_hash();
                self.n_bytes += text.0.len();
                self.events.push((event, text));
            }
            Err(problem) => self.rejected.reject(problem),
        }
    }

    /// Those that are no events count too: somebody may want to stop an import of nothing else.
    fn n_records(&self) -> usize {
        let rejected = usize::try_from(self.rejected.rejected).unwrap_or(usize::MAX);
        self.events.len().saturating_add(rejected)
    }

    /// What was wrong with its records is told whatever becomes of the others.
    fn into_store(mut self, store: &Store, recording: &Recording) -> Outcome {
        let events = self.events.iter_mut();
        let events =
            events.map(|(event, text)| Incoming::new(event, Some(mem::take(text)))).collect();
        let mut report = self.rejected;
        let failed = match store.take_in(recording, events) {
            Ok(taken) => {
                report.add(taken);
                None
            }
            Err(error) => Some(error),
        };
        Outcome { report, failed }
    }
}

/// What became of a batch.
struct Outcome {
    report: IngestReport,
    failed: Option<StoreError>,
}

/// What became of all batches so far, and who is told.
struct Telling<F> {
    report: IngestReport,
    after_batch: F,
}

impl<F: FnMut(&IngestReport) -> ControlFlow<()>> Telling<F> {
    /// Tells what became of a batch; says whether the import is stopped.
    fn tell(&mut self, outcome: Outcome) -> Result<bool, StoreError> {
        let Outcome { report, failed } = outcome;
        let is_worth_it = failed.is_none() || report.rejected > 0;
        self.report.add(report);
        let is_stopped = is_worth_it && (self.after_batch)(&self.report).is_break();
        failed.map_or(Ok(is_stopped), Err)
    }
}

impl Store {
    /// Takes in the records of a whole import, batch by batch: what an adapter found, and what was
    /// wrong with the rest. The next batch is read while one is taken in. The first has 10,000
    /// events, and the longer the import lasts the more a batch has, up to 50,000, or 32 MiB of
    /// their texts. `after_batch` sees the report so far, once for each batch and at least once, and
    /// may stop the import; what was taken in by then stays, and what was read since is dropped.
    ///
    /// # Errors
    /// As [`Store::ingest`]; the batches before the failing one stay. Where only the full text could
    /// not be caught up with, all of them do. What is in by then was told to `after_batch`.
    pub fn import<E: fmt::Display>(
        &self,
        recording: &Recording,
        records: impl IntoIterator<Item = Result<Event, E>>,
        after_batch: impl FnMut(&IngestReport) -> ControlFlow<()>,
    ) -> Result<IngestReport, StoreError> {
        let mut telling = Telling { report: IngestReport::default(), after_batch };
        let mut n_told = 0_u64;
        let (mut batch, mut room) = (Batch::default(), BATCH.0);
        let is_stopped = thread::scope(|scope| -> Result<bool, StoreError> {
            let mut behind = None;
            for record in records {
                batch.take(record);
                let is_full = batch.n_records() >= room || batch.n_bytes >= BATCH_TEXT;
                // What became of the last one is told as soon as it is known.
                let is_known = |behind: &ScopedJoinHandle<'_, _>| is_full || behind.is_finished();
                if let Some(behind) = behind.take_if(|behind| is_known(behind)) {
                    n_told += 1;
                    if telling.tell(outcome(behind))? {
                        return Ok(true);
                    }
                }
                if !is_full {
                    continue;
                }
                let full = mem::take(&mut batch);
                behind = Some(scope.spawn(move || full.into_store(self, recording)));
                room = BATCH.1.min(2 * room);
            }
            let Some(behind) = behind else { return Ok(false) };
            n_told += 1;
            telling.tell(outcome(behind))
        })?;
        if is_stopped {
            return Ok(telling.report);
        }
        if batch.n_records() > 0 || n_told == 0 {
            telling.tell(batch.into_store(self, recording))?;
        }
        self.catch_up()?;
        Ok(telling.report)
    }
}

/// What became of the batch that a thread takes in.
fn outcome(behind: ScopedJoinHandle<'_, Outcome>) -> Outcome {
    behind.join().unwrap_or_else(|_panic| Outcome {
        report: IngestReport::default(),
        failed: Some(StoreError::malformed("batch", "a thread that stopped")),
    })
}
