//! `cx demo`: the main job, on a story that comes with cx as payloads of six systems.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use cx_adapters::{Format, Options, format};
use cx_core::context::ContextOptions;
use cx_core::context::render::{self, Colour};
use cx_core::identifier::Who;
use cx_core::time::Timestamp;
use cx_store::{NewFile, Recording};

use super::import;
use crate::args::{Args, Demo};
use crate::error::CliError;
use crate::output;

/// A file of the story.
struct Payload {
    name: &'static str,
    format: Format,
    bytes: &'static [u8],
    tells: &'static str,
}

macro_rules! payloads {
    ($($name:literal, $format:ident, $tells:literal;)*) => {
        &[$(Payload {
            name: $name,
            format: Format::$format,
            bytes: include_bytes!(concat!("../../demo/", $name)),
            tells: $tells,
        }),*]
    };
}

const STORY: &[Payload] = payloads! {
    "shopify_orders.json", Shopify, "orders of Jan and of Eva, who share a landline";
    "mail.mbox", Mail, "Monday: Jan mails about order #1001; a bakery's role mailbox";
    "sendgrid_events.json", Sendgrid, "Monday: a marketing mail, opened and clicked";
    "shopify_carts.json", Shopify, "Monday evening: a cart that names nobody";
    "shopify_checkouts.json", Shopify, "Monday evening: the checkout of that cart, not completed";
    "zendesk.jsonl", Zendesk, "November: a question answered late, and rated badly";
    "chatwoot_webhooks.jsonl", Chatwoot, "Tuesday: the web chat; one webhook came twice, one late";
    "twilio_callbacks.txt", Twilio, "calls: a withheld one, and Wednesday's, which is going on";
};

/// Wednesday, while Jan is on the phone.
const NOW: &str = "2026-03-04T10:05:00+01:00";

/// The number that is calling.
const CALLER: &str = "+31 6 1234 5678";

pub(crate) fn run(args: &Args, demo: &Demo) -> Result<ExitCode, CliError> {
    if let Some(folder) = &demo.write_payloads {
        return write_payloads(folder);
    }
    let now: Timestamp = match args.now {
        Some(now) => now,
        None => NOW.parse().map_err(|error| CliError::Clock(format!("{error}")))?,
    };
    let options = Options {
        instance: "acme".to_owned(),
        region: Some("NL".to_owned()),
        own: vec!["acme.example".to_owned()],
        own_numbers: vec!["+31208080808".to_owned()],
        received_at: Some(now),
    };
    let store = args.opening()?.open(&demo.into)?;
    output::line(&format!(
        "Taking a story into {}, as six systems tell it:\n",
        demo.into.display()
    ))?;
    for payload in STORY {
        let recording = Recording::new(now, payload.format.name());
        let records = format::events(payload.format, payload.bytes, &options)
            .map(|record| record.map_err(|error| error.in_file(payload.name)));
        let report = store.import(&recording, records, |_| ControlFlow::Continue(()))?;
        output::line(&format!("  {:<24} {}", payload.name, payload.tells))?;
        output::line(&format!("  {:<24} {}", "", import::summary(&report)))?;
        for problem in &report.problems {
            output::line(&format!("  {:<24} rejected: {problem}", ""))?;
        }
    }
    let who = Who::parse(CALLER, None).map_err(|error| CliError::Usage(error.to_string()))?;
    output::line(&format!(
        "\nThe phone rings: {CALLER}. Who is this, and what do we already know?\n"
    ))?;
    let context = store.context(&who, &ContextOptions::at(now))?;
    output::print_coloured(&render::terminal(&context, Colour::Ansi))?;
    let file = demo.into.display();
    output::line(&format!("\nAsk on, with --now {NOW} to stay in the story:"))?;
    for command in [
        format!("cx context {file} eva.bakker@example.nl"),
        format!("cx context {file} \"+31 20 624 1111\""),
        format!("cx timeline {file} jan.devries@example.nl"),
        format!("cx journey {file} jan.devries@example.nl"),
        format!("cx waiting {file}"),
        format!("cx check {file}"),
    ] {
        output::line(&format!("  {command}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write_payloads(folder: &Path) -> Result<ExitCode, CliError> {
    std::fs::create_dir_all(folder)?;
    let files = STORY.iter().map(|payload| NewFile::create(folder.join(payload.name)));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    for (payload, mut file) in STORY.iter().zip(files) {
        file.write_all(payload.bytes)?;
        file.finish()?;
        output::line(&format!("{}  {}", payload.name, payload.format))?;
    }
    Ok(ExitCode::SUCCESS)
}
