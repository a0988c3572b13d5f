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

    fn into_store(
        mut self,
        store: &Store,
        recording: &Recording,
    ) -> Result<IngestReport, StoreError> {
        let events = self.events.iter_mut();
        let events =
            events.map(|(event, text)| Incoming::new(event, Some(mem::take(text)))).collect();
        let mut report = self.rejected;
        report.add(store.take_in(recording, events)?);
        Ok(report)
    }
}

impl Store {
    /// Takes in the records of a whole import, batch by batch: what an adapter found, and what was
    /// wrong with the rest. The next batch is read while one is taken in. The first has 10,000
    /// events, and the longer the import lasts the more a batch has, up to 50,000, or 32 MiB of
    /// their texts. `after_batch` sees the report so far and may stop the import; what was taken in
    /// by then stays, and what was read since is dropped.
    ///
    /// # Errors
    /// As [`Store::ingest`]; the batches before the failing one stay.
    pub fn import<E: fmt::Display>(
        &self,
        recording: &Recording,
        records: impl IntoIterator<Item = Result<Event, E>>,
        mut after_batch: impl FnMut(&IngestReport) -> ControlFlow<()>,
    ) -> Result<IngestReport, StoreError> {
        let mut report = IngestReport::default();
        let (mut batch, mut room) = (Batch::default(), BATCH.0);
        let is_stopped = thread::scope(|scope| -> Result<bool, StoreError> {
            let mut behind = None;
            for record in records {
                batch.take(record);
                let is_full = batch.n_records() >= room || batch.n_bytes >= BATCH_TEXT;
                // What became of the last one is told as soon as it is known.
                let is_known = |behind: &ScopedJoinHandle<'_, _>| is_full || behind.is_finished();
                if let Some(behind) = behind.take_if(|behind| is_known(behind)) {
                    report.add(outcome(behind)?);
                    if after_batch(&report).is_break() {
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
            report.add(outcome(behind)?);
            Ok(after_batch(&report).is_break())
        })?;
        if is_stopped {
            return Ok(report);
        }
        report.add(batch.into_store(self, recording)?);
        self.catch_up()?;
        let _last = after_batch(&report);
        Ok(report)
    }
}

/// What became of the batch that a thread takes in.
fn outcome(
    behind: ScopedJoinHandle<'_, Result<IngestReport, StoreError>>,
) -> Result<IngestReport, StoreError> {
    let stopped = || StoreError::malformed("batch", "a thread that stopped");
    behind.join().map_err(|_panic| stopped())?
}
