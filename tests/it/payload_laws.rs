//! What must hold of every payload, ours and others': taking it in twice is taking it in once,
//! the order of its records and files does not matter, and the file it makes is sound.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cx_adapters::{Format, Options, Record, format};
use cx_core::context::ContextOptions;
use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::time::Timestamp;
use cx_store::{IngestReport, Recording, Store};

const NOW: &str = "2026-07-20T10:00:00Z";

fn options() -> Options {
    Options {
        instance: "acme".to_owned(),
        region: Some("NL".to_owned()),
        own: vec!["acme.example".to_owned()],
        own_numbers: vec!["+31208080808".to_owned()],
        received_at: Some(NOW.parse().unwrap()),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    files
}

/// Folders of payloads, each with its format: this project's, the demo's, and samples of others
/// where they are there.
fn folders() -> Vec<(Format, Vec<PathBuf>)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = Vec::new();
    for format in Format::ALL {
        folders.push((*format, files(&here.join("payloads").join(format.name()))));
    }
    let shared = std::env::var_os("CX_SHARED").map(PathBuf::from).into_iter();
    let beside = ["../../shared/data", "../../../shared/data"].map(|path| here.join(path));
    let samples = shared.chain(beside).find(|path| path.is_dir());
    if let Some(samples) = &samples {
        for (format, folder) in [
            (Format::Zendesk, "payloads/zendesk"),
            (Format::Chatwoot, "payloads/chatwoot"),
            (Format::Mail, "payloads/eml"),
            (Format::Twilio, "payloads/twilio"),
            (Format::Shopify, "payloads/shopify"),
            (Format::Sendgrid, "payloads/sendgrid"),
            (Format::Mail, "email_threads/dovecot_imaptest"),
        ] {
            let mut files = files(&samples.join(folder));
            files.retain(|file| {
                format != Format::Mail
                    || file.extension().is_some_and(|it| it == "eml" || it == "mbox")
            });
            folders.push((format, files));
        }
    } else {
        println!("skipped: the samples of others are not on this machine");
    }
    folders.retain(|(_, files)| !files.is_empty());
    folders
}

fn import(store: &Store, format: Format, files: &[PathBuf]) -> IngestReport {
    let mut report = IngestReport::default();
    for file in files {
        let bytes = std::fs::read(file).unwrap();
        let options = options();
        let records = format::events(format, &bytes, &options);
        let recording = Recording::new(NOW.parse().unwrap(), format.name());
        report.add(store.import(&recording, records, |_| ControlFlow::Continue(())).unwrap());
    }
    report
}

/// Everything that can be asked: the context of every customer, and who is waiting.
fn answers(store: &Store) -> Vec<String> {
    let now: Timestamp = NOW.parse().unwrap();
    let customers = store.customers(None, usize::MAX).unwrap();
    let mut answers: Vec<String> = customers
        .iter()
        .map(|id| {
            store.context(&Who::Customer(*id), &ContextOptions::at(now)).unwrap().to_json_pretty()
        })
        .collect();
    answers.extend(store.who_is_waiting(now).unwrap().iter().map(|it| format!("{it:?}")));
    answers
}

#[test]
fn taking_a_folder_in_twice_is_taking_it_in_once() {
    for (format, files) in folders() {
        let store = Store::open_in_memory().unwrap();
        let first = import(&store, format, &files);
        assert!(first.new > 0, "{format}: {first:?}");
        let before = answers(&store);
        let again = import(&store, format, &files);
        assert_eq!((again.new, again.revised), (0, 0), "{format}: {again:?}");
        assert_eq!(
            again.duplicate + again.rejected,
            first.total(),
            "{format}: what was in conflict is known by now: {again:?}"
        );
        assert_eq!(answers(&store), before, "{format}");
        assert_eq!(store.check().unwrap().problems, Vec::<String>::new(), "{format}");
    }
}

#[test]
fn the_order_of_files_and_records_does_not_matter() {
    for (format, files) in folders() {
        let forwards = Store::open_in_memory().unwrap();
        import(&forwards, format, &files);
        let backwards = Store::open_in_memory().unwrap();
        for file in files.iter().rev() {
            let bytes = std::fs::read(file).unwrap();
            let options = options();
            let mut records: Vec<Record> = format::events(format, &bytes, &options).collect();
            records.reverse();
            let recording = Recording::new(NOW.parse().unwrap(), format.name());
            for record in records.into_iter().flatten() {
                backwards.ingest(&recording, [record]).unwrap();
            }
        }
        assert_eq!(answers(&backwards), answers(&forwards), "{format}");
        assert_eq!(backwards.check().unwrap().problems, Vec::<String>::new(), "{format}");
    }
}

#[test]
fn every_event_survives_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.cx");
    let mut kept: Vec<Event> = Vec::new();
    {
        let store = Store::open(&path).unwrap();
        for (format, files) in folders() {
            import(&store, format, &files);
        }
        kept.extend(store.events().map(Result::unwrap));
    }
    let store = Store::open_existing(&path).unwrap();
    let again: Vec<Event> = store.events().map(Result::unwrap).collect();
    assert_eq!(again, kept);
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}
