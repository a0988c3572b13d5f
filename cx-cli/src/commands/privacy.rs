//! `cx export`, `cx erase`, `cx compact`: what a person may ask for.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use cx_core::identifier::Who;
use cx_store::{Certificate, Compaction, EraseMode, NewFile, Store, StoreError};

use crate::args::{Args, Erase, Erasures, Export, File, Mode, who as who_of};
use crate::error::CliError;
use crate::output;

pub(crate) fn export(args: &Args, asked: &Export) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.file)?;
    let Some(who) = &asked.who else { return export_facts(&store, asked.out.as_deref()) };
    let export = store.export(&who_of(who, asked.region.as_deref())?, args.now()?)?;
    let text = output::json(&export)?;
    let Some(out) = &asked.out else {
        output::line(&text)?;
        return Ok(ExitCode::SUCCESS);
    };
    output::write_new(out, &text)?;
    let n = u64::try_from(export.events.len()).unwrap_or(u64::MAX);
    output::line(&format!(
        "{}: {} with {}",
        out.display(),
        export.customer,
        output::counted(n, "event")
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn export_facts(store: &Store, out: Option<&Path>) -> Result<ExitCode, CliError> {
    let Some(out) = out else {
        store.export_facts(BufWriter::new(std::io::stdout().lock()))?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut file = NewFile::create(out)?;
    let written = store.export_facts(BufWriter::with_capacity(1 << 20, &mut file))?;
    file.finish()?;
    output::line(&format!("{}: {}", out.display(), output::facts(&written)))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn erase(args: &Args, asked: &Erase) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&asked.whom.file)?;
    let who = asked.whom.who()?;
    if !asked.yes {
        let found = store.find(&who)?;
        match found.chosen() {
            Some(customer) => {
                let name = customer.name.as_deref().unwrap_or("somebody without a name");
                let name = output::tame(name, 60);
                output::line(&format!("This would erase {name} ({}).", customer.id))?;
            }
            None if found.customers.is_empty() && found.unattributed > 0 => {
                let events = output::count(found.unattributed);
                output::line(&format!("This would erase {events} events that are nobody's."))?;
            }
            None => match &who {
                Who::Customer(id) if found.is_erased => {
                    return Err(StoreError::Gone { customer: *id }.into());
                }
                Who::Identifier(_) if found.customers.is_empty() => {
                    output::line(
                        "Nobody has a record with it. This would erase what others wrote of it.",
                    )?;
                }
                _ => return Err(StoreError::NobodyMeant.into()),
            },
        }
        output::line("It cannot be taken back. Keep a copy with `cx export`; do it with --yes.")?;
        return Ok(ExitCode::from(1));
    }
    let mode = match asked.mode {
        Mode::Anonymise => EraseMode::Anonymise,
        Mode::Delete => EraseMode::Delete,
    };
    let now = args.now()?;
    // That the certificate can be written is known before anything is erased.
    let out = asked.certificate.as_deref();
    let out = out.map(|path| Ok::<_, CliError>((path, NewFile::create(path)?))).transpose()?;
    let was_known = store.find(&who)?.chosen().is_some();
    let certificate = if asked.no_compact {
        None
    } else {
        match store.erase_for_good(&who, mode, now) {
            Ok(certificate) => Some(certificate),
            Err(error) => {
                if was_known && store.find(&who)?.chosen().is_none() {
                    output::line("erased; there is no certificate of it")?;
                    not_compacted(&asked.whom.file)?;
                }
                return Err(error.into());
            }
        }
    };
    let erasure = match &certificate {
        Some(certificate) => certificate.erasure.clone(),
        None => store.erase(&who, mode, now)?,
    };
    if let (Some((path, mut file)), Some(certificate)) = (out, &certificate) {
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let text = if is_json { output::json(certificate)? } else { certificate.to_string() };
        let written = file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n"));
        written.map_err(|error| CliError::Read { path: path.to_owned(), error })?;
        file.finish()?;
    }
    let is_found = certificate.as_ref().is_some_and(|it| it.search.hits > 0);
    let code = if is_found { ExitCode::from(1) } else { ExitCode::SUCCESS };
    if asked.json {
        output::json_line(&erasure)?;
        return Ok(code);
    }
    let done = match mode {
        EraseMode::Anonymise => "anonymous now",
        EraseMode::Delete => "deleted",
    };
    output::line(&format!(
        "{} erased: {} {done}, {} gone, {} kept since others have them, {} of others blacked out",
        erasure.customer,
        output::counted(erasure.events, "event"),
        output::counted(erasure.identifiers, "identifier"),
        erasure.shared,
        output::counted(erasure.blacked_out, "event"),
    ))?;
    for (field, n) in &erasure.left_in {
        output::line(&format!(
            "still in {field} of {n} that are left, in what names things or within longer words"
        ))?;
    }
    match certificate {
        Some(certificate) => certified(&certificate)?,
        None => not_compacted(&asked.whom.file)?,
    }
    Ok(code)
}

fn certified(certificate: &Certificate) -> Result<(), CliError> {
    let search = &certificate.search;
    let found = if search.strings == 0 {
        "no address or number was the person's alone: nothing to search for, nothing proved"
            .to_owned()
    } else {
        format!(
            "searched for {} of the person in {}: found {}",
            output::counted(search.strings, "string"),
            output::counted(u64::try_from(search.files.len()).unwrap_or(u64::MAX), "file"),
            output::counted(search.hits, "time"),
        )
    };
    output::line(&format!(
        "file rewritten: {} bytes, {} before; {found}",
        output::count(certificate.bytes_after),
        output::count(certificate.bytes_before),
    ))
}

pub(crate) fn erasures(args: &Args, asked: &Erasures) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.file)?;
    for erasure in store.erasures()? {
        if asked.json {
            output::json_line(&erasure)?;
            continue;
        }
        let rewritten = match erasure.compacted_at {
            Some(at) => format!("file rewritten {at}"),
            None => "file not rewritten since: cx compact".to_owned(),
        };
        output::line(&format!(
            "{} {}: {} {}, {rewritten}",
            erasure.erased_at,
            erasure.customer,
            erasure.mode.name(),
            output::counted(erasure.events, "event"),
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn compact(args: &Args, asked: &File) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&asked.file)?;
    told(&store.compact(args.now()?)?)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn not_compacted(file: &Path) -> Result<(), CliError> {
    output::line(&format!("traces may be left in free space until: cx compact {}", file.display()))
}

/// That a file was rewritten.
pub(crate) fn rewritten(compaction: &Compaction) -> String {
    format!(
        "file rewritten at {}: {} bytes, {} before",
        compaction.compacted_at,
        output::count(compaction.bytes_after),
        output::count(compaction.bytes_before),
    )
}

fn told(compaction: &Compaction) -> Result<(), CliError> {
    let n = u64::try_from(compaction.erasures.len()).unwrap_or(u64::MAX);
    output::line(&format!(
        "{}; nothing is left of {}",
        rewritten(compaction),
        output::counted(n, "erased person"),
    ))
}
