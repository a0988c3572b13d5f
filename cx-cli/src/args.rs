//! The command line.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use cx_adapters::{Format, Options};
use cx_core::channel::Channel;
use cx_core::context::Audience;
use cx_core::identifier::{Identifier, Who, is_region};
use cx_core::ids::{AssertionId, EventKey};
use cx_core::time::{TimeError, Timestamp};
use cx_store::{EncryptionKey, Lack, OpenOptions, Store, StoreError};

use crate::error::CliError;
use crate::output;

/// What the codes mean with which every command ends.
const EXIT_CODES: &str = "Exit codes: 0 done; that nobody is known is an answer, too. \
    1 not all of it, or nothing, was done, or a check found something. \
    2 the command line is wrong.";

/// Knows a customer across every channel.
#[derive(Debug, Parser)]
#[command(name = "cx", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// The instant that stands in for the clock, such as 2026-03-04T10:05:00+01:00, so that a run
    /// can be repeated to the byte.
    #[arg(long, global = true, value_name = "T", value_parser = instant)]
    pub(crate) now: Option<Timestamp>,
    /// The file with the key under which stores are encrypted: 64 hexadecimal digits, or a
    /// passphrase.
    #[arg(
        long,
        global = true,
        value_name = "KEYFILE",
        env = "CX_KEY_FILE",
        hide_env_values = true
    )]
    pub(crate) key_file: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// The key under which stores are encrypted, if one was given.
    pub(crate) fn key(&self) -> Result<Option<EncryptionKey>, CliError> {
        Ok(self.key_file.as_ref().map(EncryptionKey::read).transpose()?)
    }

    /// How every store is opened that is named on the command line.
    pub(crate) fn opening(&self) -> Result<OpenOptions, CliError> {
        Ok(OpenOptions::new().key(self.key()?))
    }

    /// Opens the store in a file that is there, to ask it: one of an earlier schema stays as it is.
    pub(crate) fn open_to_ask(&self, file: &Path) -> Result<Store, CliError> {
        let opening = self.opening()?;
        if !opening.is_of_earlier_schema(file)? {
            return Ok(opening.open_existing(file)?);
        }
        anstream::eprintln!(
            "{}: of an earlier schema; read from a copy in memory, until a command that writes brings it forward",
            file.display()
        );
        Ok(opening.open_read_only(file)?)
    }

    /// Opens the store in a file that is there; one of an earlier schema is brought forward.
    pub(crate) fn open_existing(&self, file: &Path) -> Result<Store, CliError> {
        self.open_by(file, |opening| opening.open_existing(file))
    }

    /// The same, and makes the file if there is none.
    pub(crate) fn open_or_make(&self, file: &Path) -> Result<Store, CliError> {
        self.open_by(file, |opening| opening.open(file))
    }

    fn open_by(
        &self,
        file: &Path,
        open: impl FnOnce(&OpenOptions) -> Result<Store, StoreError>,
    ) -> Result<Store, CliError> {
        let opening = self.opening()?;
        let is_earlier = || opening.is_of_earlier_schema(file).unwrap_or(false);
        let was_earlier = is_earlier();
        let store = open(&opening)?;
        if was_earlier && !is_earlier() {
            anstream::eprintln!(
                "{}: brought forward to the schema of this version of cx; earlier ones cannot read it any more",
                file.display()
            );
        }
        Ok(store)
    }

    /// The instant that was given, else the clock's.
    pub(crate) fn now(&self) -> Result<Timestamp, CliError> {
        match self.now {
            Some(now) => Ok(now),
            None => Timestamp::from_micros(chrono::Utc::now().timestamp_micros())
                .map_err(|error| CliError::Clock(error.to_string())),
        }
    }
}

fn instant(text: &str) -> Result<Timestamp, String> {
    let read = text.parse().or_else(|error| with_seconds(text).ok_or(error)?.parse());
    read.map_err(|error: TimeError| match error {
        TimeError::Malformed { .. } | TimeError::NoOffset { .. } => {
            format!("{text:?} is no instant; one is 2026-03-04T10:05:00+01:00, or with Z for UTC")
        }
        other => other.to_string(),
    })
}

/// `2026-03-04T10:05:00Z` of `2026-03-04T10:05Z`.
fn with_seconds(text: &str) -> Option<String> {
    let (minute, offset) = text.split_at_checked(16)?;
    let is_offset = offset.starts_with(['Z', 'z', '+', '-']);
    is_offset.then(|| format!("{minute}:00{offset}"))
}

fn region(text: &str) -> Result<String, String> {
    let region = text.trim().to_uppercase();
    if is_region(&region) { Ok(region) } else { Err("no region; one is NL".to_owned()) }
}

/// A domain, or an address.
fn own(text: &str) -> Result<String, String> {
    if Options::may_be_own(text) {
        Ok(text.trim().to_owned())
    } else {
        Err("no domain and no address; one is shop.example, or help@shop.example".to_owned())
    }
}

/// At most how many: none at all is no answer.
fn at_least_one(text: &str) -> Result<usize, String> {
    let n: NonZeroUsize = text.parse().map_err(|_| "a number from 1 on is wanted".to_owned())?;
    Ok(n.get())
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Takes the records of other systems into a file.
    Import(Import),
    /// Tells everything that is known of a customer.
    Context(Context),
    /// Lists what happened with a customer, the latest first.
    Timeline(Timeline),
    /// Tells how a customer's journeys went.
    Journey(Journey),
    /// Computes measures over all customers.
    Measure(Measure),
    /// Tells who holds an identifier.
    Find(Find),
    /// Searches the texts and subjects of what was written, as they stand now.
    Search(Search),
    /// Lists who is waiting, over all customers: for us first, and of these whose answer is due, or
    /// who has waited, longest.
    Waiting(Waiting),
    /// Tells why two are one person, or why they are not.
    Why(Why),
    /// Tells how a customer came about.
    How(How),
    /// Lists who may be the same person as somebody, or everybody of whom that may be said.
    Candidates(Candidates),
    /// Compares all customers by a model of names, dates, addresses and numbers, and proposes who
    /// may be one person.
    ///
    /// It links nobody, unless `--link-at` says from which probability on. `cx candidates` shows
    /// what it proposes, `cx revoke` takes back a link.
    Propose(Propose),
    /// Records that two customers are one person.
    Same(Pair),
    /// Records that two customers are two persons.
    Different(Pair),
    /// Records that an event is not of the holder of an identifier.
    Detach(Detach),
    /// Records that an identifier links nobody.
    Block(OneValue),
    /// Records that an identifier is one person's, however many names are seen with it.
    Trust(OneValue),
    /// Records that one identifier has replaced another.
    Rekey(Rekey),
    /// Takes back something that was recorded so.
    Revoke(Revoke),
    /// Tells what recording something would change, and records nothing.
    Preview(Preview),
    /// Lists what became of customers: created, merged, split, moved, renamed, erased.
    Changes(Changes),
    /// Shows, checks, compares and puts in force which identifiers link.
    Policy(Policy),
    /// Finds which rows of a table of persons, or of two, are one person's.
    Link(Link),
    /// Trains, shows and converts the models that linking weighs with.
    Model(Model),
    /// Writes everything about one person into a file.
    Export(Export),
    /// Takes a person out for good.
    Erase(Erase),
    /// Lists which customers were erased, when and how, and whether the file was rewritten since.
    Erasures(Erasures),
    /// Takes out what is too old under rules of retention, and keeps it out.
    Retain(Retain),
    /// Rewrites a file, so that nothing of what was erased is left in it.
    Compact(File),
    /// Compresses what events say, also of those that come in later; no answer changes.
    Compress(Compress),
    /// Checks a file, and everything derived in it against its facts.
    Check(Check),
    /// Reads what can be read of a damaged file into a new one.
    Salvage(Salvage),
    /// Writes a consistent copy of a file, also while it is in use; encrypted as the file is, or
    /// under another key, or not.
    Backup(Backup),
    /// Puts a copy in the place of a file, and takes away what is left of that.
    Restore(Restore),
    /// Shows the main job on a story that comes with cx.
    Demo(Demo),
    /// Writes the events of a company that does not exist, to try cx out with.
    Generate(Generate),
    /// Prints the completions for a shell.
    Completions(Completions),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Generate {
    /// How many events; some of them come twice, and some late.
    #[arg(long, value_name = "N")]
    pub(crate) events: u64,
    /// Another number gives other events; the same one the same, to the byte.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// The file to write, where nothing stands yet, for `cx import --from jsonl`; `-` for the
    /// standard output.
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Import {
    /// Files, or folders of files; `-` for the standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The system the records come from; `facts` for what `cx export --all` wrote, which makes a
    /// new file with the same customers under the same ids.
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    pub(crate) from: String,
    /// The file to take them into; made if there is none.
    #[arg(long, value_name = "FILE.cx")]
    pub(crate) into: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// How the columns of a CSV file are named: `email=E-mail, occurred_at=Date, kind:=message,
    /// zone:=Europe/Amsterdam, decimal:=","`. See docs/import.md.
    #[arg(long, value_name = "MAP")]
    pub(crate) columns: Option<String>,
}

fn format_parser() -> clap::builder::PossibleValuesParser {
    let names = Format::ALL.iter().map(|format| format.name());
    clap::builder::PossibleValuesParser::new(names.chain([FACTS]))
}

/// The format of `cx export --all`.
pub(crate) const FACTS: &str = "facts";

/// What the records do not say of themselves.
#[derive(Debug, ClapArgs)]
pub(crate) struct Source {
    /// The account or shop the records come from; all mailboxes of one business are one.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    pub(crate) instance: String,
    /// The region (such as NL) of telephone numbers without a country code.
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub(crate) region: Option<String>,
    /// A domain or address of the business itself; may be given several times.
    #[arg(long, value_name = "DOMAIN", value_parser = own)]
    pub(crate) own: Vec<String>,
    /// A telephone number of the business itself; may be given several times.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) own_number: Vec<String>,
}

/// Whom a person means.
#[derive(Debug, ClapArgs)]
pub(crate) struct Whom {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// An address, a telephone number, a customer id, NAMESPACE:VALUE (cookie:c42), or
    /// NAMESPACE:SCOPE:VALUE (helpdesk:zendesk:acme:123).
    pub(crate) who: String,
    /// The region of a telephone number without a country code.
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub(crate) region: Option<String>,
}

impl Whom {
    pub(crate) fn who(&self) -> Result<Who, CliError> {
        who(&self.who, self.region.as_deref())
    }
}

/// Whom a text means. Where it can hardly be what an event carries, what is missing is told.
pub(crate) fn who(text: &str, region: Option<&str>) -> Result<Who, CliError> {
    let who = read_who(text, region)?;
    if let Who::Identifier(identifier) = &who
        && let Some(missing) = missing(identifier)
    {
        anstream::eprintln!("{}: {missing}", output::tame(text, 100));
    }
    Ok(who)
}

/// Whom a text means.
pub(crate) fn read_who(text: &str, region: Option<&str>) -> Result<Who, CliError> {
    Who::parse(text, region).map_err(|error| CliError::Usage(error.to_string()))
}

/// What an identifier lacks to link anybody.
pub(crate) fn missing(identifier: &Identifier) -> Option<String> {
    Lack::of(identifier).map(|lack| match lack {
        Lack::CountryCode => {
            "no whole number; write its country code (+31 …), or name its --region".to_owned()
        }
        lack => output::tame(&lack.to_string(), 200),
    })
}

/// For whom an answer is.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum For {
    /// People who serve the customer: everything.
    #[default]
    Agent,
    /// People who write campaigns: facts without texts.
    Marketing,
    /// The customer: only what was public.
    Customer,
    /// A language model: identifiers masked; in Markdown, texts and names are marked as untrusted.
    Model,
}

impl From<For> for Audience {
    fn from(audience: For) -> Self {
        match audience {
            For::Agent => Self::Agent,
            For::Marketing => Self::Marketing,
            For::Customer => Self::Customer,
            For::Model => Self::Model,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Context {
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// As JSON.
    #[arg(long, conflicts_with_all = ["markdown", "html"])]
    pub(crate) json: bool,
    /// As Markdown.
    #[arg(long, conflicts_with = "html")]
    pub(crate) markdown: bool,
    /// As an HTML fragment.
    #[arg(long)]
    pub(crate) html: bool,
    /// As things stood at this instant.
    #[arg(long, value_name = "T", value_parser = instant)]
    pub(crate) as_of: Option<Timestamp>,
    /// Of what had been recorded by this instant.
    #[arg(long, value_name = "T", value_parser = instant)]
    pub(crate) known_at: Option<Timestamp>,
    /// For whom the answer is.
    #[arg(long = "for", value_enum, default_value_t, value_name = "AUDIENCE")]
    pub(crate) audience: For,
    /// At most that many contacts, mails, orders and ratings, each.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) items: usize,
    /// At most that many tokens of Markdown, counted as a quarter of the bytes.
    #[arg(long, requires = "markdown", value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Timeline {
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// At most that many events.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit: usize,
    /// Goes on behind the page that gave this cursor.
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
    /// The oldest first.
    #[arg(long)]
    pub(crate) oldest_first: bool,
    /// Only this channel.
    #[arg(long, value_name = "CHANNEL", value_parser = channel)]
    pub(crate) channel: Option<Channel>,
    /// Only this kind, such as `message`.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Nothing before this instant.
    #[arg(long, value_name = "T", value_parser = instant)]
    pub(crate) since: Option<Timestamp>,
    /// Nothing after this instant.
    #[arg(long, value_name = "T", value_parser = instant)]
    pub(crate) until: Option<Timestamp>,
    /// One JSON event a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "clap asks for a parser that may fail")]
fn channel(text: &str) -> Result<Channel, String> {
    Ok(Channel::from_name(text))
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Journey {
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// A definition of your own, in TOML or JSON, in place of those that come with cx.
    #[arg(long, value_name = "FILE")]
    pub(crate) definition: Option<PathBuf>,
    /// As things stood at this instant.
    #[arg(long, value_name = "T", value_parser = instant)]
    pub(crate) as_of: Option<Timestamp>,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MeasureName {
    /// Net Promoter Score.
    Nps,
    /// Customer satisfaction.
    Csat,
    /// Customer Effort Score 2.0.
    Ces,
    /// From the customer's question to a person's answer.
    FirstResponse,
    /// From the beginning to the first resolution.
    FirstResolution,
    /// From the beginning to the last resolution.
    FullResolution,
}

/// Which of a customer's answers count.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Answers {
    /// All of them.
    #[default]
    All,
    /// The latest.
    Latest,
    /// The first.
    First,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Measure {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// What to measure; all there is without one.
    #[arg(value_enum)]
    pub(crate) measures: Vec<MeasureName>,
    /// Which of a customer's answers count.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) answers: Answers,
    /// As things stood at this instant.
    #[arg(long, value_name = "T", value_parser = instant)]
    pub(crate) as_of: Option<Timestamp>,
    /// One JSON result a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Find {
    #[command(flatten)]
    pub(crate) whom: Whom,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Search {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// The words, all of which must be there; a `*` behind a word stands for any ending.
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// Only what this customer is about.
    #[arg(long, value_name = "WHO")]
    pub(crate) who: Option<String>,
    /// For whom the answer is: internal notes are found for agents alone.
    #[arg(long = "for", value_enum, default_value_t, value_name = "AUDIENCE")]
    pub(crate) audience: For,
    /// At most that many hits.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit: usize,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Waiting {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// As things stood at this instant.
    #[arg(long, value_name = "T", value_parser = instant)]
    pub(crate) as_of: Option<Timestamp>,
    /// At most that many matters.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit: usize,
}

/// Which facts an answer may know of.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub(crate) struct When {
    /// Only what had happened by this instant.
    #[arg(long, value_name = "T", value_parser = instant)]
    pub(crate) as_of: Option<Timestamp>,
    /// Only what had been recorded by this instant.
    #[arg(long, value_name = "T", value_parser = instant)]
    pub(crate) known_at: Option<Timestamp>,
}

impl When {
    pub(crate) fn past(self) -> cx_store::Past {
        let past = cx_store::Past::today();
        let past = self.as_of.map_or(past, |as_of| past.as_of(as_of));
        self.known_at.map_or(past, |known_at| past.known_at(known_at))
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Why {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// One of the two: an address, a number, a customer id.
    pub(crate) a: String,
    /// The other one.
    pub(crate) b: String,
    #[command(flatten)]
    pub(crate) when: When,
    /// The region of telephone numbers without a country code.
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub(crate) region: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct How {
    #[command(flatten)]
    pub(crate) whom: Whom,
    #[command(flatten)]
    pub(crate) when: When,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Candidates {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// An address, a telephone number, a customer id; everybody without one.
    pub(crate) who: Option<String>,
    #[command(flatten)]
    pub(crate) when: When,
    /// The region of a telephone number without a country code.
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub(crate) region: Option<String>,
    /// At most that many pairs, where everybody is asked for.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit: usize,
    /// As JSON, one candidate a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Who says something, and why.
#[derive(Debug, ClapArgs)]
pub(crate) struct Saying {
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Who says so.
    #[arg(long, default_value = "cx command", value_name = "NAME")]
    pub(crate) by: String,
    /// The region of telephone numbers without a country code.
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub(crate) region: Option<String>,
    /// What became of it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Pair {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// One customer: an address, a number, a customer id.
    pub(crate) a: String,
    /// The other customer.
    pub(crate) b: String,
    #[command(flatten)]
    pub(crate) saying: Saying,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Detach {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// The key of the event, as `cx timeline --json` shows it.
    #[arg(value_name = "EVENT")]
    pub(crate) event: EventKey,
    /// The identifier whose holder it is not of.
    #[arg(value_name = "IDENTIFIER")]
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) saying: Saying,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct OneValue {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// An address, a telephone number, NAMESPACE:VALUE, or NAMESPACE:SCOPE:VALUE.
    #[arg(value_name = "IDENTIFIER")]
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) saying: Saying,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Rekey {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// The identifier before.
    #[arg(value_name = "OLD")]
    pub(crate) from: String,
    /// The identifier now.
    #[arg(value_name = "NEW")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) saying: Saying,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Revoke {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// What to take back: the `ast_…` that recording it printed, and the context shows.
    pub(crate) assertion: AssertionId,
    #[command(flatten)]
    pub(crate) saying: Saying,
}

/// What can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerdictName {
    /// Two customers are one person.
    Same,
    /// Two customers are two persons.
    Different,
    /// An event is not of the holder of an identifier.
    Detach,
    /// An identifier links nobody.
    Block,
    /// An identifier is one person's.
    Trust,
    /// One identifier has replaced another.
    Rekey,
    /// Something that was said holds no longer.
    Revoke,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Preview {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// What would be recorded.
    #[arg(value_enum)]
    pub(crate) verdict: VerdictName,
    /// What it is about, as the command of that name takes it.
    #[arg(required = true, num_args = 1..=2)]
    pub(crate) sides: Vec<String>,
    #[command(flatten)]
    pub(crate) saying: Saying,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Changes {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// Only what comes after this place in the feed.
    #[arg(long, default_value_t = 0, value_name = "SEQ")]
    pub(crate) after: u64,
    /// At most that many entries.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit: usize,
    /// As JSON, one entry a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Policy {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Prints the policy of a file as TOML, or that of a new file.
    Show {
        /// The file.
        #[arg(value_name = "FILE.cx")]
        file: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Checks a policy written in TOML or JSON.
    Check {
        /// The policy.
        #[arg(value_name = "POLICY")]
        policy: PathBuf,
    },
    /// Lists where two policies differ; each is a policy file or a cx file.
    Diff {
        /// One policy.
        a: PathBuf,
        /// The other one.
        b: PathBuf,
    },
    /// Tells what a policy would change; puts it in force with --yes.
    Apply {
        /// The file.
        #[arg(value_name = "FILE.cx")]
        file: PathBuf,
        /// The policy.
        #[arg(value_name = "POLICY")]
        policy: PathBuf,
        /// Puts it in force.
        #[arg(long)]
        yes: bool,
        /// What it changes as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Propose {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// The model to weigh with, of cx or of Splink; the one that cx brings without it.
    #[arg(long, value_name = "MODEL.json")]
    pub(crate) model: Option<PathBuf>,
    /// Trains the model on the customers before it weighs.
    #[arg(long)]
    pub(crate) train: bool,
    /// Customers who are one person with at least this probability are proposed; or a weight, such
    /// as 6bits.
    #[arg(long, value_name = "P", default_value = "0.5", value_parser = weight, allow_hyphen_values = true)]
    pub(crate) review_at: i32,
    /// Customers who are one person with at least this probability, or weight, are linked.
    #[arg(long = "link-at", value_name = "P", value_parser = weight, allow_hyphen_values = true)]
    pub(crate) accept: Option<i32>,
    /// At most that many proposals are kept, the likeliest first.
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    pub(crate) most: usize,
    /// On how many threads; as many as there are processors without it.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Link {
    /// A CSV file with a header; two to find persons across both, of which none has one twice.
    #[arg(required = true, num_args = 1..=2, value_name = "TABLE.csv")]
    pub(crate) tables: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) columns: Columns,
    /// The model to weigh with, of cx or of Splink; trained on the table itself without one.
    #[arg(long, value_name = "MODEL.json")]
    pub(crate) model: Option<PathBuf>,
    /// Trains the model further on the table before it weighs.
    #[arg(long, requires = "model")]
    pub(crate) train: bool,
    /// The column that tells which rows are one person's: how good the result is, is measured by
    /// it, and it is never compared. For two tables with other names: A,B.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) truth: Option<String>,
    /// Of the truth only the first number counts, as in rec-17-org and rec-17-dup.
    #[arg(long, requires = "truth")]
    pub(crate) truth_number: bool,
    /// Rows that are one person's with at least this probability are linked; or a weight, such as
    /// 6bits.
    #[arg(long = "link-at", value_name = "P", default_value = "0.8", value_parser = weight, allow_hyphen_values = true)]
    pub(crate) accept: i32,
    /// Rows that are one person's with at least this probability, or weight, are proposed.
    #[arg(long, value_name = "P", default_value = "0.1", value_parser = weight, allow_hyphen_values = true)]
    pub(crate) review_at: i32,
    /// On how many threads; as many as there are processors without it.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Writes the rows with the person each belongs to, where nothing stands yet.
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) out: Option<PathBuf>,
    /// Writes the pairs, where nothing stands yet: linked, possible, household.
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) pairs: Option<PathBuf>,
    /// Writes the pairs that share an address or a number under other given names, where nothing
    /// stands yet.
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) household: Option<PathBuf>,
    /// Tells how the weight of two rows adds up, by their numbers below the header, from 1 on.
    #[arg(long, num_args = 2, value_names = ["ROW", "ROW"], conflicts_with_all = ["out", "pairs", "household"])]
    pub(crate) explain: Option<Vec<u32>>,
    /// What came of it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the columns of a table say.
#[derive(Debug, ClapArgs)]
pub(crate) struct Columns {
    /// What a column says, where its name does not: `Naam2=family_name`, or `Id=ignore`; may be
    /// given several times. Attributes: `given_name`, `family_name`, `full_name`, `birth_date`,
    /// `street`, `postcode`, `city`, `phone`, `email`, `national_id`; any other word compares the
    /// column as it is.
    #[arg(long = "column", value_name = "NAME=ATTRIBUTE")]
    pub(crate) said: Vec<String>,
    /// Dates such as 03/04/1980 have the month first.
    #[arg(long)]
    pub(crate) month_first: bool,
    /// What stands between columns; found out without it.
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<char>,
}

/// A probability, or bits, in thousandths of a bit.
fn weight(text: &str) -> Result<i32, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let weight = match text.strip_suffix("bits") {
        Some(bits) => number(bits).filter(|bits| bits.abs() <= 40.0).map(|bits| {
            #[expect(
                clippy::as_conversions,
                clippy::cast_possible_truncation,
                reason = "at most 40,000"
            )]
            let milli = (bits * 1000.0).round() as i32;
            milli
        }),
        None => number(text).and_then(cx_core::linkage::model::weight_of),
    };
    weight.ok_or_else(|| {
        "a probability between 0 and 1 is wanted, or bits from -40 to 40, such as 6bits".to_owned()
    })
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Model {
    #[command(subcommand)]
    pub(crate) command: ModelCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Learns a model from a table of persons.
    Train {
        /// CSV files with a header, one or two.
        #[arg(required = true, num_args = 1..=2, value_name = "TABLE.csv")]
        tables: Vec<PathBuf>,
        #[command(flatten)]
        columns: Columns,
        /// Where the model goes; nothing may be there.
        #[arg(long, value_name = "MODEL.json")]
        out: PathBuf,
        /// The model to begin from; the one that comes with cx without it.
        #[arg(long, value_name = "MODEL.json")]
        from: Option<PathBuf>,
    },
    /// Prints a model in bits, or the one that comes with cx.
    Show {
        /// The model.
        #[arg(value_name = "MODEL.json")]
        model: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Turns a model of Splink into one of cx, and the other way round.
    Convert {
        /// The model, of either kind.
        from: PathBuf,
        /// Where the model of the other kind goes; nothing may be there.
        to: PathBuf,
        /// How many records the tables have that Splink is to link with the model: its prior is a
        /// probability, and that of cx a number of pairs for each record.
        #[arg(long, default_value_t = 10_000, value_name = "N")]
        records: u32,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Export {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// An address, a telephone number, a customer id, NAMESPACE:VALUE (cookie:c42), or
    /// NAMESPACE:SCOPE:VALUE (helpdesk:zendesk:acme:123).
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) who: Option<String>,
    /// All facts of the file instead, a line of JSON each, for `cx import --from facts`: into
    /// another version of cx, or another engine. Whoever has them has everything.
    #[arg(long)]
    pub(crate) all: bool,
    /// The region of a telephone number without a country code.
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub(crate) region: Option<String>,
    /// The file to write, where nothing stands yet; the standard output without one.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// How a person is erased.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Mode {
    /// Texts, names and identifiers go; times, kinds and counts stay.
    Anonymise,
    /// All of it goes.
    Delete,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Erase {
    #[command(flatten)]
    pub(crate) whom: Whom,
    /// How.
    #[arg(long, value_enum)]
    pub(crate) mode: Mode,
    /// Does it; without it, tells whom it would be.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Leaves the rewriting of the file for later: `cx compact`.
    #[arg(long)]
    pub(crate) no_compact: bool,
    /// Writes the certificate to this file, where nothing stands yet: what was removed, and that
    /// nothing was found of it when the rewritten file was searched. As JSON where the name ends in
    /// `.json`.
    #[arg(long, value_name = "OUT", conflicts_with = "no_compact", requires = "yes")]
    pub(crate) certificate: Option<PathBuf>,
    /// What was done as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Erasures {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// A line of JSON each.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct Retain {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// The rules, in TOML or JSON, which are in force from then on; without them those that are in
    /// force are applied again. See docs/operations.md.
    #[arg(long, value_name = "RULES")]
    pub(crate) rules: Option<PathBuf>,
    /// Tells what would go, and changes nothing.
    #[arg(long, conflicts_with = "yes")]
    pub(crate) preview: bool,
    /// Does it; without it, tells what would go.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Leaves the rewriting of the file for later: `cx compact`.
    #[arg(long)]
    pub(crate) no_compact: bool,
    /// What would go, or is gone, as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct File {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Backup {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// Where the copy goes; nothing may be there.
    #[arg(value_name = "COPY.cx")]
    pub(crate) to: PathBuf,
    /// Encrypts the copy under the key in this file, and not under that of the file itself.
    #[arg(long, value_name = "KEYFILE")]
    pub(crate) new_key_file: Option<PathBuf>,
    /// Leaves the copy unencrypted.
    #[arg(long, conflicts_with = "new_key_file")]
    pub(crate) plain: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Restore {
    /// The copy, as `cx backup` wrote it; it stays where it is.
    #[arg(value_name = "COPY.cx")]
    pub(crate) copy: PathBuf,
    /// The file in the place of which it comes. Nobody may have it open.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// Does it where a file is there, which is gone then.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Compress {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// Undoes it: what events say stands in the file as JSON again.
    #[arg(long)]
    pub(crate) undo: bool,
    /// Leaves the rewriting of the file, by which it becomes shorter, for later: `cx compact`.
    #[arg(long)]
    pub(crate) no_compact: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Check {
    /// The file.
    #[arg(value_name = "FILE.cx")]
    pub(crate) file: PathBuf,
    /// Where something is wrong, makes everything derived anew from the facts and says what could
    /// not be saved; nobody else may have the file open. The file as it was is kept as
    /// FILE.cx.damaged where anything is, or may be, lost.
    #[arg(long)]
    pub(crate) repair: bool,
    /// What was found, and done, as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Salvage {
    /// The damaged file; it is left as it is.
    #[arg(value_name = "DAMAGED.cx")]
    pub(crate) file: PathBuf,
    /// Where what was saved goes; nothing may be there.
    #[arg(value_name = "NEW.cx")]
    pub(crate) to: PathBuf,
    /// What was saved, and what was not, as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Demo {
    /// The file to take the story into.
    #[arg(long, default_value = "cx-demo.cx", value_name = "FILE.cx")]
    pub(crate) into: PathBuf,
    /// Writes the payloads of the story into this folder, over none of its files, and does nothing
    /// else.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) write_payloads: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}
