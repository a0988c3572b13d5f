//! Names of persons: the form in which two spellings of one name agree.

use std::collections::BTreeSet;

use super::given::is_known;
use crate::text;

/// Words that stand before or after a name and are no part of it.
const TITLES: &[&str] = &[
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "prof",
    "sir",
    "dhr",
    "mevr",
    "mw",
    "herr",
    "frau",
    "hr",
    "sr",
    "sra",
    "mme",
    "mlle",
    "jr",
    "phd",
    "msc",
    "bsc",
    "ir",
    "drs",
    "dipl",
    "mevrouw",
    "heer",
    "meneer",
    "mister",
    "madame",
    "monsieur",
    "mademoiselle",
    "senor",
    "senora",
    "signora",
    "rev",
    "med",
    "familie",
    "fam",
];

/// Words that are titles where two further words follow, and initials or names otherwise: `M. Jean
/// Dupont`, `M. Bakker`.
const TITLES_OR_NAMES: &[&str] = &["m", "fr", "ing", "mag"];

/// Titles of men, and titles of women.
const GENDERED: &[(&str, Gender)] = &[
    ("mr", Gender::Man),
    ("sir", Gender::Man),
    ("dhr", Gender::Man),
    ("herr", Gender::Man),
    ("hr", Gender::Man),
    ("mrs", Gender::Woman),
    ("ms", Gender::Woman),
    ("miss", Gender::Woman),
    ("mevr", Gender::Woman),
    ("mw", Gender::Woman),
    ("frau", Gender::Woman),
    ("sra", Gender::Woman),
    ("mme", Gender::Woman),
    ("mlle", Gender::Woman),
    ("heer", Gender::Man),
    ("meneer", Gender::Man),
    ("mister", Gender::Man),
    ("monsieur", Gender::Man),
    ("senor", Gender::Man),
    ("mevrouw", Gender::Woman),
    ("madame", Gender::Woman),
    ("mademoiselle", Gender::Woman),
    ("senora", Gender::Woman),
    ("signora", Gender::Woman),
];

/// Short forms of given names and the name they stand for. In a group the first is the name.
const NICKNAMES: &[&[&str]] = &[
    &["alexander", "alex", "sander", "xander", "lex", "sasha"],
    &["alexandra", "alex", "sandra", "sasha"],
    &["andrew", "andy", "drew"],
    &["anthony", "tony"],
    &["antonius", "anton", "toon", "ton"],
    &["barbara", "barb", "babs"],
    &["benjamin", "ben", "benny"],
    &["catherine", "katherine", "kathryn", "cathy", "kathy", "kate", "katie", "cath"],
    &["charles", "charlie", "chuck"],
    &["christina", "christine", "chris", "tina", "chrissy"],
    &["christopher", "chris", "kit"],
    &["cornelis", "cor", "kees", "cees", "corné"],
    &["daniel", "dan", "danny"],
    &["david", "dave", "davy"],
    &["deborah", "debbie", "deb"],
    &["dorothy", "dot", "dottie"],
    &["edward", "ed", "eddie", "ted", "ned"],
    &[
        "elizabeth",
        "elisabeth",
        "liz",
        "lizzy",
        "beth",
        "betty",
        "eliza",
        "lisa",
        "els",
        "liesbeth",
        "bess",
    ],
    &["eva", "evi", "eefje"],
    &["florence", "flo"],
    &["frances", "fran", "francie"],
    &["francis", "frank"],
    &["franciscus", "frans", "frank"],
    &["francisco", "paco", "pancho"],
    &["friedrich", "fritz", "fred"],
    &["frederick", "frederik", "fred", "freddie", "freek"],
    &["gerard", "gerrit", "ger"],
    &["gregory", "greg"],
    &["hendrik", "henk", "rik", "hein"],
    &["henry", "harry", "hank"],
    &["jacob", "jake", "jaap", "jacobus", "koos"],
    &["james", "jim", "jimmy", "jamie"],
    &["jean", "jeanne"],
    &["jennifer", "jen", "jenny"],
    &["johannes", "jan", "johan", "hans", "joop"],
    &["johanna", "anna", "hanna", "jo", "joke"],
    &["john", "jack", "johnny", "jon"],
    &["jonathan", "jon", "jonny", "nathan"],
    &["jose", "pepe"],
    &["joseph", "joe", "joey", "josef", "sepp"],
    &["joshua", "josh"],
    &["katharina", "katarina", "kathi", "trijn", "katja"],
    &["kenneth", "ken", "kenny"],
    &["lawrence", "larry", "laurence"],
    &["leonard", "leo", "len", "lenny"],
    &["margaret", "maggie", "mag", "meg", "peggy", "marge", "greta"],
    &["maria", "marie", "mia", "ria", "marieke", "mieke"],
    &["mary", "molly", "polly", "mae"],
    &["martinus", "martin", "tinus", "maarten"],
    &["matthew", "matt", "matty"],
    &["michael", "mike", "mick", "mickey", "michiel"],
    &["nicholas", "nick", "nicky", "nicolaas", "klaas", "nico"],
    &["pamela", "pam"],
    &["patricia", "pat", "patty", "trish", "tricia"],
    &["patrick", "pat", "paddy"],
    &["peter", "pete", "pieter", "piet"],
    &["philip", "phillip", "phil", "filip", "flip"],
    &["rebecca", "becky", "becca"],
    &["richard", "rick", "dick", "rich", "ricky"],
    &["robert", "bob", "rob", "bobby", "robbie", "bert"],
    &["ronald", "ron", "ronnie"],
    &["samantha", "sam", "sammy"],
    &["samuel", "sam", "sammy"],
    &["stephen", "steven", "steve", "stefan"],
    &["susan", "sue", "suzy", "susanne", "suzanne"],
    &["theodore", "ted", "teddy", "theo"],
    &["theodorus", "theo", "dirk"],
    &["thomas", "tom", "tommy"],
    &["timothy", "tim", "timmy"],
    &["victoria", "vicky", "tori"],
    &["wilhelmus", "willem", "wim", "pim", "wil"],
    &["wilhelmina", "mina", "willy", "wil"],
    &["william", "bill", "will", "billy", "willy", "liam"],
    &["zachary", "zach", "zack"],
];

/// Names in full that are not the first of their group: a short form is short for them, too.
const LONG_FORMS: &[&str] = &[
    "christine",
    "elisabeth",
    "filip",
    "frederik",
    "jacobus",
    "josef",
    "katarina",
    "katherine",
    "kathryn",
    "laurence",
    "michiel",
    "nicolaas",
    "phillip",
    "pieter",
    "stefan",
    "steven",
    "susanne",
    "suzanne",
];

/// Words that stand where a name is missing. Of a name each word of which is one of them, nobody
/// is called: `Guest User`.
const NOBODY: &[&str] = &[
    "admin",
    "anoniem",
    "anonymous",
    "besucher",
    "bezoeker",
    "caller",
    "client",
    "contact",
    "customer",
    "gast",
    "guest",
    "id",
    "inconnu",
    "klant",
    "kunde",
    "member",
    "mobile",
    "name",
    "new",
    "no",
    "nobody",
    "none",
    "null",
    "number",
    "onbekend",
    "onbekende",
    "phone",
    "private",
    "shop",
    "store",
    "telegram",
    "test",
    "tester",
    "unavailable",
    "unbekannt",
    "undefined",
    "unknown",
    "unnamed",
    "user",
    "visitor",
    "walk",
    "walk-in",
    "walkin",
    "web",
    "website",
    "whatsapp",
    "wireless",
    "withheld",
];

/// Words that stand where a part of a name is missing: `Jan null`.
const MISSING: &[&str] =
    &["null", "n/a", "undefined", "unknown", "onbekend", "onbekende", "unbekannt", "(null)"];

/// Words behind a name that are no part of it: what somebody has learnt, of which kind a company is,
/// the how manyeth of the name.
const SUFFIXES: &[&str] =
    &["mba", "bv", "nv", "gmbh", "ltd", "inc", "llc", "esq", "cpa", "ii", "iii", "iv"];

/// Given names that one letter, or one short form, makes alike, and that are two persons'.
const NOT_ONE: &[(&str, &str)] =
    &[("anna", "hanna"), ("jean", "jeanne"), ("christina", "christine")];

/// Particles that are names of persons as well, where they stand first: `Di Wu`, `Le Van Minh`.
const PARTICLES_OR_NAMES: &[&str] = &["bin", "da", "di", "du", "la", "le", "te"];

/// What stands in one with a family name, where others write it apart: `Vandenberg`, `DeVries`.
const RUN_TOGETHER: &[&str] = &[
    "vanden", "vander", "vande", "van", "den", "der", "de", "ter", "ten", "von", "vom", "zum",
    "zur", "della", "del", "di", "da", "la", "le", "dos", "du",
];

/// A person's name as it is compared: a given name and, where there are any, further names, of which
/// the last one is the family's.
///
/// Made from what people write: `Jan de Vries`, `de Vries, Jan`, `Dr. J. Vries (Acme)`. Case, accents,
/// titles and what stands in brackets or behind a stroke do not matter; `Mr Vries` is a family name
/// alone, and of a man. What has no letters, or is a placeholder, an address or a number, is no
/// name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonName {
    given: String,
    /// All that stands behind the given name, joined by `-`.
    family: String,
    /// What a title says, where the given name does not say it.
    gender: Option<Gender>,
    generation: Option<Generation>,
}

/// What a title says of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Gender {
    Man,
    Woman,
}

/// Which of two people of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Generation {
    Junior,
    Senior,
    Second,
    Third,
    Fourth,
}

impl Generation {
    const ALL: [Self; 5] = [Self::Junior, Self::Senior, Self::Second, Self::Third, Self::Fourth];

    /// As it stands in the key of a name.
    const fn key(self) -> &'static str {
        match self {
            Self::Junior => "jr",
            Self::Senior => "sr",
            Self::Second => "ii",
            Self::Third => "iii",
            Self::Fourth => "iv",
        }
    }
}

/// How much of a name is missing: of names that agree, one that says less may be of several who do
/// not agree with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Brevity {
    /// A given name and several others.
    Full,
    /// Given and family name.
    Whole,
    /// A short form of several given names, and a family name.
    Nickname,
    /// A given name alone.
    GivenOnly,
    /// An initial, or nothing, before the family name.
    Initial,
}

impl PersonName {
    /// The name that a text is, if it is one.
    ///
    /// ```
    /// # use cx_core::identity::PersonName;
    /// let jan = PersonName::parse("Jan de Vries").unwrap();
    /// assert!(jan.agrees(&PersonName::parse("VRIES, J. de").unwrap()));
    /// assert!(jan.agrees(&PersonName::parse("Jan de Vries | Acme BV").unwrap()));
    /// assert!(!jan.agrees(&PersonName::parse("Eva de Vries").unwrap()));
    /// assert_eq!(PersonName::parse("jan@example.nl"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let bare = undecorated(text);
        let told = if bare.chars().any(char::is_alphabetic) { bare.as_str() } else { text };
        let Read { mut words, title } = read(told)?;
        let generation = generation(text);
        while words.len() > 2 && words.last().is_some_and(|word| is_suffix(word)) {
            words.pop();
        }
        let (given, family) = match words.as_slice() {
            // What stands alone behind a title is a family name.
            [word] if title.as_ref().is_some_and(|title| title != word) => {
                (String::new(), joined(std::iter::once(word)))
            }
            [first, further @ ..] => {
                // `Anne-Marie` is the names Anne and Marie, as somebody else writes them.
                let mut names = pieces(first).into_iter();
                let given = names.next().unwrap_or_default();
                let names: Vec<String> = names.collect();
                let is_more = |word: &&String| word.len() > 1 || further.last() == Some(*word);
                (given, joined(names.iter().chain(further.iter().filter(is_more))))
            }
            [] => return None,
        };
        let gender = title.filter(|_| given.len() <= 1).and_then(|title| {
            GENDERED.iter().find(|(word, _)| *word == title).map(|(_, gender)| *gender)
        });
        Some(Self { given, family, gender, generation })
    }

    /// The form in which equal names are equal bytes: `jan vries`, and ` vries mr` for a family name
    /// behind a title.
    pub fn key(&self) -> String {
        let title = match self.gender {
            None => "",
            Some(Gender::Man) => " mr",
            Some(Gender::Woman) => " mrs",
        };
        let mut key = format!("{} {}{title}", self.given, self.family);
        if let Some(generation) = self.generation {
            key.push(' ');
            key.push_str(generation.key());
        }
        key.trim_end().to_owned()
    }

    /// The name that [`PersonName::key`] gave.
    pub fn from_key(key: &str) -> Self {
        let mut parts = key.split(' ').map(str::to_owned);
        let (given, family) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let mut name = Self { given, family, gender: None, generation: None };
        for part in parts {
            match part.as_str() {
                "mr" => name.gender = Some(Gender::Man),
                "mrs" => name.gender = Some(Gender::Woman),
                other => {
                    let said = Generation::ALL.into_iter().find(|said| said.key() == other);
                    name.generation = said.or(name.generation);
                }
            }
        }
        name
    }

    /// How much of the name is missing.
    pub fn brevity(&self) -> Brevity {
        if (self.given.is_empty() || is_initial(&self.given)) && !self.family.is_empty() {
            Brevity::Initial
        } else if self.family.is_empty() {
            Brevity::GivenOnly
        } else if nickname_mask(&self.given).count_ones() > 1 {
            Brevity::Nickname
        } else if self.family.contains('-') {
            Brevity::Full
        } else {
            Brevity::Whole
        }
    }

    /// Whether given and family name are both there.
    pub fn is_whole(&self) -> bool {
        self.brevity() <= Brevity::Nickname
    }

    /// How much is there, where that decides which names of one person tell who it is: short forms
    /// say less than what they are short for.
    pub(super) fn tells(&self) -> Brevity {
        match self.brevity() {
            Brevity::Full | Brevity::Whole => Brevity::Whole,
            Brevity::Nickname => Brevity::Nickname,
            Brevity::GivenOnly | Brevity::Initial => Brevity::Initial,
        }
    }

    /// Whether this name and another one show that it is one person who bears them: both are
    /// whole and agree, and short forms are the same.
    pub(super) fn vouches_for(&self, other: &Self) -> bool {
        let are_long = || self.brevity().max(other.brevity()) <= Brevity::Whole;
        self.is_whole() && other.is_whole() && (self == other || are_long() && self.agrees(other))
    }

    /// Whether both may be the name of one person: all further names of one are, but for a slip,
    /// among those of the other, and given names are spelt alike, a slip of each other, a short
    /// form of the other, or an initial of it. A slip is a letter in a name of four letters or more
    /// that makes no other name that is known. What is missing of one agrees with all, but not
    /// the title of a man with that of a woman, nor one generation with another; the order of names,
    /// and what is written in one word, does not matter.
    pub fn agrees(&self, other: &Self) -> bool {
        let differ = self.gender.is_some() && other.gender.is_some() && self.gender != other.gender
            || self.generation.is_some()
                && other.generation.is_some()
                && self.generation != other.generation;
        if differ {
            return false;
        }
        if self.given.is_empty() || other.given.is_empty() {
            let family = |name: &'_ Self| {
                if name.family.is_empty() { name.given.clone() } else { name.family.clone() }
            };
            return family_agree(&family(self), &family(other));
        }
        if self.family.is_empty() || other.family.is_empty() {
            return given_agree(&self.given, &other.given);
        }
        let straight =
            given_agree(&self.given, &other.given) && family_agree(&self.family, &other.family);
        let turned = |name: &Self| format!("{}{}", name.family.replace('-', ""), name.given);
        let run = |name: &Self| format!("{}{}", name.given, name.family.replace('-', ""));
        straight
            || self.all() == other.all()
            || run(self) == run(other)
            || run(self) == turned(other)
            || turned(self) == run(other)
    }

    /// All names, in order.
    fn all(&self) -> Vec<&str> {
        let further = self.family.split('-').filter(|word| !word.is_empty());
        let mut all: Vec<&str> = std::iter::once(self.given.as_str()).chain(further).collect();
        all.sort_unstable();
        all
    }
}

/// Adds names to those that tell who somebody is: of all that are told of one person only those
/// are left that say most, as [`PersonName::tells`] counts it.
pub(super) fn add_names(names: &mut BTreeSet<PersonName>, mut more: BTreeSet<PersonName>) {
    let most = |names: &BTreeSet<PersonName>| names.first().map(PersonName::tells);
    match (most(names), most(&more)) {
        (Some(kept), Some(added)) if kept < added => {}
        (Some(kept), Some(added)) if kept == added => names.append(&mut more),
        (_, Some(_)) => *names = more,
        (_, None) => {}
    }
}

/// Of all names of one person those that say most.
pub(super) fn telling(names: BTreeSet<PersonName>) -> BTreeSet<PersonName> {
    let most = names.iter().map(PersonName::tells).min();
    names.into_iter().filter(|name| Some(name.tells()) == most).collect()
}

/// The given name and the last name that a text says, each empty where there is none.
pub(crate) fn given_and_family(text: &str) -> Option<(String, String)> {
    let Read { words, title } = read(text)?;
    match words.as_slice() {
        [word] if title.as_ref().is_some_and(|title| title != word) => {
            Some((String::new(), word.clone()))
        }
        [given, .., family] => Some((given.clone(), family.clone())),
        [given] => Some((given.clone(), String::new())),
        [] => None,
    }
}

/// The words of a name, the given name first.
struct Read {
    words: Vec<String>,
    /// The title it begins with.
    title: Option<String>,
}

fn read(text: &str) -> Option<Read> {
    if text::is_placeholder(text) || text.contains('@') || text.contains("://") {
        return None;
    }
    let (front, back) = match text.split_once(',') {
        Some((family, given)) if !words(given).is_empty() => {
            (part_words(given), part_words(family))
        }
        _ => (words(text), Vec::new()),
    };
    let is_turned = !back.is_empty();
    let words: Vec<String> = front.into_iter().chain(back).collect();
    let letters = words.iter().flat_map(|word| word.chars()).filter(|c| c.is_alphabetic()).count();
    let is_number = |word: &String| word.chars().all(|c| c.is_ascii_digit());
    if letters < 2 || words.iter().any(is_number) {
        return None;
    }
    // Helpdesks and exchanges call people by made-up names: `Visitor`, `damp-sun-912`,
    // `Wireless Caller`.
    if words.iter().all(|word| NOBODY.contains(&word.as_str())) {
        return None;
    }
    if let [word] = words.as_slice()
        && word.contains(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    Some(Read { words, title: if is_turned { None } else { title(text) } })
}

/// A name without what mail clients and helpdesks put behind it: `Jan de Vries (Acme)`,
/// `Jan de Vries | Acme`, `Jan de Vries via Facebook`, `Jan de Vries, MBA`.
fn undecorated(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            c if depth == 0 => bare.push(c),
            _ => {}
        }
    }
    for sign in ["|", " - ", " – ", " — ", " via ", " Via "] {
        if let Some((before, _)) = bare.split_once(sign)
            && before.chars().any(char::is_alphabetic)
        {
            bare.truncate(before.len());
        }
    }
    while let Some((before, behind)) = bare.rsplit_once(',')
        && before.chars().any(char::is_alphabetic)
        && behind.split_whitespace().all(|word| {
            let word = text::folded(word.trim_end_matches('.'));
            is_suffix(&word) || TITLES.contains(&word.as_str()) || of_generation(&word).is_some()
        })
    {
        bare.truncate(before.len());
    }
    bare
}

fn is_suffix(word: &str) -> bool {
    SUFFIXES.contains(&word) || of_generation(word).is_some()
}

fn of_generation(word: &str) -> Option<Generation> {
    match word {
        "jr" | "junior" => Some(Generation::Junior),
        "sr" | "senior" => Some(Generation::Senior),
        "ii" => Some(Generation::Second),
        "iii" => Some(Generation::Third),
        "iv" => Some(Generation::Fourth),
        _ => None,
    }
}

/// Whether a name says which of several of one name it is, such as junior or senior: behind the
/// first word, where it is no title, and behind another one, where it may be a name.
fn generation(text: &str) -> Option<Generation> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(text::folded).collect();
    let mut said = words.iter().enumerate().filter(|(at, word)| *at > usize::from(word.len() > 2));
    said.find_map(|(_, word)| of_generation(word))
}

/// The names that a word is made of: `anne` and `marie`, `brien` of `o'brien`.
fn pieces(word: &str) -> Vec<String> {
    let all: Vec<String> =
        word.split(['-', '\'']).filter(|piece| piece.len() > 1).map(str::to_owned).collect();
    if all.is_empty() { vec![word.replace(['-', '\''], "")] } else { all }
}

fn joined<S: AsRef<str>>(words: impl Iterator<Item = S>) -> String {
    words.flat_map(|word| pieces(word.as_ref())).collect::<Vec<_>>().join("-")
}

/// The words of a name in plain letters, without titles and particles where others are left.
pub(crate) fn words(text: &str) -> Vec<String> {
    words_of(text, Side::Whole)
}

/// The words of one side of a comma.
fn part_words(text: &str) -> Vec<String> {
    words_of(text, Side::Part)
}

/// How much of a name is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Whole,
    /// One side of its comma.
    Part,
}

fn words_of(text: &str, side: Side) -> Vec<String> {
    let mut all: Vec<(String, Letters)> = Vec::new();
    let pictures = text.replace(is_picture, " ");
    let written = || pictures.split_whitespace();
    let is_missing = |word: &str| MISSING.contains(&text::folded(word).as_str());
    let is_all_missing = written().all(is_missing);
    for written in written().filter(|word| is_all_missing || !is_missing(word)) {
        let letters = Letters::of(written);
        let latin = deunicode::deunicode_with_tofu(written, "?");
        let folded = text::folded(&latin);
        let cleaned: String = folded
            .chars()
            .map(|c| if c.is_alphanumeric() || c == '\'' || c == '-' { c } else { ' ' })
            .collect();
        let bare = cleaned.split_whitespace().map(|word| word.trim_matches(['\'', '-']));
        all.extend(bare.filter(|word| !word.is_empty()).map(|word| (word.to_owned(), letters)));
    }
    let is_title = |(word, letters): &(String, Letters), of: &[&str]| {
        *letters != Letters::Other && of.contains(&word.as_str())
    };
    let is_particle = |(word, letters): &(String, Letters), of: &[&str]| {
        *letters == Letters::Plain && of.contains(&word.as_str())
    };
    let mut bare = all;
    if !bare.iter().all(|word| is_title(word, TITLES)) {
        bare.retain(|word| !is_title(word, TITLES));
    }
    let is_more = |word: &&(String, Letters)| word.0.len() > 1 && !is_particle(word, PARTICLES);
    if bare.first().is_some_and(|first| is_title(first, TITLES_OR_NAMES))
        && bare.iter().skip(1).filter(is_more).count() > 1
    {
        bare.remove(0);
    }
    // A particle stands before a name. One that stands last, where one word would be left, is a
    // name, and so is one that stands first and may be a name: `Minh Le`, `Di Wu`.
    let n_left = bare.iter().filter(|word| !is_particle(word, PARTICLES)).count();
    let last = bare.len().saturating_sub(1);
    let is_left = |(at, word): (usize, &(String, Letters))| {
        !is_particle(word, PARTICLES)
            || side == Side::Whole
                && last > 0
                && (at == last && n_left == 1
                    || at == 0 && n_left > 0 && is_particle(word, PARTICLES_OR_NAMES))
    };
    let left: Vec<String> = bare
        .iter()
        .enumerate()
        .filter(|(at, word)| n_left == 0 || is_left((*at, word)))
        .map(|(_, (word, _))| word.clone())
        .collect();
    left
}

/// In which letters a word is written: what is written in others than ours is no title and no
/// particle, whatever it sounds like in ours, and `Văn` with its sign is no particle either.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    Plain,
    Signed,
    Other,
}

impl Letters {
    fn of(word: &str) -> Self {
        let mut letters = word.chars().filter(|c| c.is_alphabetic());
        if letters.clone().all(|c| c.is_ascii()) {
            Self::Plain
        } else if letters.all(is_latin) {
            Self::Signed
        } else {
            Self::Other
        }
    }
}

/// Whether a letter is one of ours, with a sign on it or without.
const fn is_latin(c: char) -> bool {
    matches!(c, '\0'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

/// Pictures and symbols that people put beside their names.
const fn is_picture(c: char) -> bool {
    matches!(
        c,
        '\u{2190}'..='\u{2bff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{200d}'
            | '\u{1f000}'..='\u{1faff}'
            | '\u{e0020}'..='\u{e007f}'
    )
}

/// The title that a name begins with.
fn title(text: &str) -> Option<String> {
    let mut words = text.split_whitespace().map(|word| {
        let word = deunicode::deunicode_with_tofu(word.trim_end_matches('.'), "?");
        text::folded(&word)
    });
    let first = words.next()?;
    // `De heer Bakker`.
    let first = if first == "de" { words.next()? } else { first };
    TITLES.contains(&first.as_str()).then_some(first)
}

/// Particles of family names: people leave them out, move them and capitalise them at will.
const PARTICLES: &[&str] = &[
    "de", "den", "der", "het", "in", "op", "te", "ten", "ter", "van", "von", "vom", "zu", "zum",
    "zur", "'t", "t", "di", "da", "del", "della", "dos", "du", "la", "le", "bin", "ibn", "af",
    "av",
];

/// Whether every name of the one that has fewer is among those of the other.
fn family_agree(one: &str, other: &str) -> bool {
    if one.replace('-', "") == other.replace('-', "") {
        return true;
    }
    let (one, other): (Vec<&str>, Vec<&str>) =
        (one.split('-').collect(), other.split('-').collect());
    let (few, many) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    // Either way round, so that agreeing is mutual.
    let among = |ones: &[&str], others: &[&str]| {
        ones.iter().all(|word| others.iter().any(|other| further_near(word, other)))
    };
    among(&few, &many) && (few.len() != many.len() || among(&many, &few))
}

fn given_agree(one: &str, other: &str) -> bool {
    let is_pair = |(a, b): &(&str, &str)| *a == one && *b == other || *a == other && *b == one;
    if NOT_ONE.iter().any(is_pair) {
        return false;
    }
    let initial = |short: &str, long: &str| is_initial(short) && long.starts_with(short);
    one == other
        || initial(one, other)
        || initial(other, one)
        || is_short_for(one, other)
        || given_near(one, other)
}

/// Whether one is short for the other. Two short forms of one name are two persons' as well as
/// one's, but where one of them begins with the other: `Hans` and `Jan`, `Tom` and `Tommy`.
fn is_short_for(one: &str, other: &str) -> bool {
    let both = nickname_mask(one) & nickname_mask(other);
    let is_long = |name: &str| {
        let groups = NICKNAMES.iter().take(128).enumerate();
        LONG_FORMS.contains(&name)
            || groups
                .filter(|(n, _)| both & (1 << n) != 0)
                .any(|(_, group)| group.first().is_some_and(|first| *first == name))
    };
    both != 0
        && (is_long(one) || is_long(other) || one.starts_with(other) || other.starts_with(one))
}

/// An initial, or two letters that are no name: `Bo` and `Jo` are names, `Th.` is none.
fn is_initial(word: &str) -> bool {
    word.len() == 1 || word.len() == 2 && !has_vowel(word)
}

fn has_vowel(word: &str) -> bool {
    word.contains(['a', 'e', 'i', 'o', 'u', 'y'])
}

/// Spelt alike, or at most one letter apart where that makes a name that is known of one that is
/// not: `Jan Piter` is Pieter, but Joan is not John, nor is Ming Jing. A vowel at the end tells Paul
/// from Paula. Names of scripts without vowels have no letter to spare.
fn given_near(one: &str, other: &str) -> bool {
    if one.len().min(other.len()) < 4 || !has_vowel(one) || !has_vowel(other) {
        return false;
    }
    if alike(one) == alike(other) {
        return true;
    }
    if !near(one, other) || is_known_given(one) && is_known_given(other) {
        return false;
    }
    if !is_known_given(one) && !is_known_given(other) {
        return is_swapped(one, other);
    }
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let ends = [one, other].map(|name| name.get(same..).unwrap_or_default());
    !(ends.iter().all(|end| end.len() <= 1) && ends.iter().any(|end| has_vowel(end)))
}

fn is_known_given(name: &str) -> bool {
    is_known(name) || nickname_mask(name) != 0
}

/// A further name, but for a slip. Short ones and syllables have no letter to spare, nor have names
/// of scripts without vowels: Wang is not Yang. A particle may be written in one with it.
fn further_near(one: &str, other: &str) -> bool {
    let in_one = |long: &str, short: &str| {
        short.len() > 3
            && long.strip_suffix(short).is_some_and(|before| RUN_TOGETHER.contains(&before))
    };
    if one == other || in_one(one, other) || in_one(other, one) {
        return true;
    }
    let shortest = one.len().min(other.len());
    if shortest < 4 || !has_vowel(one) || !has_vowel(other) {
        return false;
    }
    let is_syllable = |word: &str| word.len() < 5 || word.len() == 5 && word.ends_with("ng");
    let bare = |word: &str| {
        let alike = alike(word);
        alike.strip_suffix('d').map(|stem| format!("{stem}t")).unwrap_or(alike)
    };
    if bare(one) == bare(other) {
        return true;
    }
    if is_syllable(one) || is_syllable(other) {
        return one.len() == other.len() && is_swapped(one, other);
    }
    near(one, other)
}

/// Two neighbours swapped, and nothing else.
fn is_swapped(one: &str, other: &str) -> bool {
    let letters = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    letters(one) == letters(other) && strsim::osa_distance(one, other) <= 1
}

/// A name as spellings of it are alike: `Philippe` and `Filipe`, `Sergei` and `Sergey`, `Eric` and
/// `Erik`, `Sarah` and `Sara`.
fn alike(name: &str) -> String {
    let name = name.replace("ph", "f").replace("th", "t").replace("ck", "k").replace("dt", "t");
    let name = name.trim_end_matches('h');
    let mut alike = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        let before_h = name.get(at + c.len_utf8()..).is_some_and(|rest| rest.starts_with('h'));
        let c = match c {
            'y' => 'i',
            'c' if !before_h => 'k',
            other => other,
        };
        if !alike.ends_with(c) {
            alike.push(c);
        }
    }
    alike
}

/// The groups of short forms that a given name is in, a bit for each: two names with a bit in
/// common may be short for each other.
pub(crate) fn nickname_mask(given: &str) -> u128 {
    let groups = NICKNAMES.iter().take(128).enumerate();
    groups.filter(|(_, group)| group.contains(&given)).fold(0, |mask, (n, _)| mask | 1 << n)
}

/// The groups of short forms, in a fixed order; in each the first is the name.
pub(crate) const fn nickname_groups() -> &'static [&'static [&'static str]] {
    NICKNAMES
}

/// At most one letter apart: one more, one less, another one, or two neighbours swapped. Where there
/// are few letters each says too much: Tim is not Tom.
fn near(one: &str, other: &str) -> bool {
    let is_long = one.len().min(other.len()) > 3;
    let is_near = || one.len().abs_diff(other.len()) <= 4 && strsim::osa_distance(one, other) <= 1;
    one == other || is_long && is_near()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agree(one: &str, other: &str) -> bool {
        PersonName::parse(one).unwrap().agrees(&PersonName::parse(other).unwrap())
    }

    #[test]
    fn spellings_of_one_name_agree() {
        for other in [
            "jan de vries",
            "DE VRIES, Jan",
            "J. de Vries",
            "Johannes Vries",
            "Jan Vires",
            "Vries Jan",
            "Dr. Jan P. de Vries",
            "Jan",
        ] {
            assert!(agree("Jan de Vries", other), "{other}");
        }
        assert!(agree("Zoë Müller", "zoe mueller") || agree("Zoë Müller", "zoe muller"));
    }

    #[test]
    fn housemates_do_not_agree() {
        for other in ["Eva de Vries", "Jan Jansen", "Piet de Vries"] {
            assert!(!agree("Jan de Vries", other), "{other}");
        }
    }

    #[test]
    fn siblings_with_short_names_do_not_agree() {
        for (one, other) in [
            ("Tim Bakker", "Tom Bakker"),
            ("Mia Bakker", "Ria Smit"),
            ("Jan Bos", "Jan Vos"),
            ("Leo Bos", "Lea Bos"),
            ("Jan Li", "Jan Lu"),
        ] {
            assert!(!agree(one, other), "{one}, {other}");
        }
        assert!(agree("Erik Smit", "Eric Smid"));
    }

    #[test]
    fn a_letter_or_a_short_form_that_makes_another_name_is_no_slip() {
        for (one, other) in [
            ("John Smith", "Joan Smith"),
            ("Carl Smith", "Carol Smith"),
            ("Erik Bakker", "Erin Bakker"),
            ("Sean Smith", "Dean Smith"),
            ("Nina Bakker", "Tina Bakker"),
            ("Emma Smith", "Gemma Smith"),
            ("Ming Li", "Jing Li"),
            ("李小明", "李小玲"),
            ("أحمد محمد", "أحمد محمود"),
            ("Wei Wang", "Wei Yang"),
            ("Hans Bakker", "Jan Bakker"),
            ("Mia Bakker", "Ria Bakker"),
            ("Kate Smith", "Cathy Smith"),
            ("Frank Bos", "Frans Bos"),
            ("John Smith II", "John Smith III"),
            ("John Smith Jr", "John Smith III"),
            ("Minh Le", "Minh Tran"),
            ("Di Wu", "Da Wu"),
            ("Christina Bos", "Christine Bos"),
        ] {
            assert!(!agree(one, other), "{one}, {other}");
        }
        for (one, other) in [
            ("Jhon Smith", "John Smith"),
            ("Piter Bos", "Pieter Bos"),
            ("Phillip Bos", "Philip Bos"),
            ("Tom Bos", "Tommy Bos"),
            ("Sara Bos", "Sarah Bos"),
            ("Hans Bakker", "Johannes Bakker"),
            ("Liz Bakker", "Elisabeth Bakker"),
            ("Jan Jansen", "Jan Janssen"),
            ("Eva Schmidt", "Eva Schmitt"),
        ] {
            assert!(agree(one, other), "{one}, {other}");
        }
    }

    #[test]
    fn other_ways_to_write_one_name_agree() {
        for (one, other) in [
            ("Sergei Ivanov", "Sergey Ivanov"),
            ("Сергей Иванов", "Sergey Ivanov"),
            ("Dmitri Petrov", "Dmitry Petrov"),
            ("Юлия Петрова", "Yulia Petrova"),
            ("Lê Văn Minh", "Le Van Minh"),
            ("Lê Thị Lan", "Le Thi Lan"),
            ("Jan van den Berg", "Jan Vandenberg"),
            ("Jan de Vries", "Jan DeVries"),
            ("Sean Mc Donald", "Sean McDonald"),
            ("Anne Marie Jansen", "Annemarie Jansen"),
            ("王小明", "Wang Xiaoming"),
            ("王小明", "Xiaoming Wang"),
            ("Mevrouw Eva Bakker", "Eva Bakker"),
            ("De heer Jan Bakker", "Jan Bakker"),
            ("Señor Juan Mata", "Juan Mata"),
            ("Jan de Vries 🌷", "Jan de Vries"),
            ("Jan 🌷", "Jan de Vries"),
            ("Jan null", "Jan de Vries"),
            ("Jan N/A", "Jan de Vries"),
        ] {
            assert!(agree(one, other), "{one}, {other}");
        }
        assert!(!agree("De heer Bakker", "Mevrouw Bakker"));
    }

    #[test]
    fn placeholders_of_two_words_are_no_names() {
        for text in [
            "Guest User",
            "Unknown Caller",
            "Wireless Caller",
            "Web Visitor",
            "Walk-in Customer",
            "WhatsApp User",
            "Anonymous User",
            "null null",
            "Unknown Unknown",
            "🌷",
            "❤️ ❤️",
        ] {
            assert_eq!(PersonName::parse(text), None, "{text}");
        }
        assert!(PersonName::parse("Christopher Guest").is_some());
    }

    #[test]
    fn what_mail_clients_and_helpdesks_put_beside_a_name_is_no_part_of_it() {
        for other in [
            "Jan de Vries (Acme)",
            "Jan de Vries [Acme BV]",
            "Jan de Vries | Acme BV",
            "Jan de Vries - Acme",
            "Jan de Vries, MBA",
            "Jan de Vries MBA",
            "Jan de Vries III",
            "Jan de Vries via Facebook",
        ] {
            assert!(agree("Jan de Vries", other), "{other}");
            assert!(!agree("Eva Bakker", other), "{other}");
        }
        assert!(PersonName::parse("(Jan de Vries)").is_some());
    }

    #[test]
    fn some_of_several_names_agree_with_all_of_them_and_others_do_not() {
        for (one, other) in [
            ("Maria Garcia Lopez", "Maria Garcia"),
            ("Maria Garcia Lopez", "Maria Lopez"),
            ("Eva Bakker", "Eva Bakker-Smit"),
            ("Anne Marie Jansen", "Anne-Marie Jansen"),
            ("Sean O'Brien", "Sean O Brien"),
            ("Jan Peter Bakker", "Bakker, Jan Peter"),
        ] {
            assert!(agree(one, other), "{one}, {other}");
        }
        for (one, other) in [
            ("María García López", "María Sánchez López"),
            ("Nguyễn Thị Lan", "Nguyễn Văn Lan"),
            ("王小明", "王大明"),
            ("Eva Bakker-Smit", "Eva Bakker-Vos"),
        ] {
            assert!(!agree(one, other), "{one}, {other}");
        }
        let short = |name| PersonName::parse(name).unwrap().brevity();
        assert!(short("Maria Garcia Lopez") < short("Maria Garcia"));
    }

    #[test]
    fn relatives_with_related_names_do_not_agree() {
        for (one, other) in [
            ("Paul Smith", "Paula Smith"),
            ("Martin Smith", "Martina Smith"),
            ("Mario Rossi", "Maria Rossi"),
            ("Jean Dupont", "Jeanne Dupont"),
            ("Anna Smith", "Hanna Smith"),
            ("Bo Smith", "Bob Smith"),
            ("John Smith Sr", "John Smith Jr"),
            ("John Smith Senior", "Smith Jr, John"),
            ("محمد علي", "محمود علي"),
        ] {
            assert!(!agree(one, other), "{one}, {other}");
        }
        assert!(agree("John Smith", "John Smith Jr") && agree("Johanna Bos", "Anna Bos"));
        assert!(agree("Th. Bakker", "Thomas Bakker") && agree("John Smith, Jr.", "John Smith"));
        assert!(agree("Sr. Juan Mata", "Juan Mata"));
    }

    #[test]
    fn an_initial_that_could_be_a_title_is_one_before_two_names_only() {
        assert!(agree("M. Bakker", "Maria Bakker") && !agree("M. Bakker", "Jan Bakker"));
        assert!(agree("Fr. Bakker", "Frans Bakker"));
        assert!(agree("Mag Bakker", "Maggie Bakker"));
        assert!(agree("M. Jean Dupont", "Jean Dupont"));
        assert!(agree("Jan de Vries sr", "Jan de Vries"));
    }

    #[test]
    fn a_title_before_a_family_name_says_of_whom_it_is() {
        assert!(!agree("Mr Smith", "Mrs Smith") && !agree("dhr. Jansen", "mevr. Jansen"));
        assert!(agree("Mr. Smith", "John Smith") && agree("Mr. Smith", "Smith"));
        assert!(!agree("Mr Smith", "John Jones") && !agree("Mr Smith", "Jan"));
        assert!(!agree("Mr J. Smith", "Mrs J. Smith") && agree("Dr. Smith", "Mrs Smith"));
        let short = |name| PersonName::parse(name).unwrap().brevity();
        assert_eq!(short("Mr Smith"), Brevity::Initial);
        assert_eq!(short("Jan"), Brevity::GivenOnly);
        assert_eq!(short("Chris Smith"), Brevity::Nickname);
        assert_eq!(short("Mr John Smith"), Brevity::Whole);
    }

    #[test]
    fn what_is_no_name_is_none() {
        for text in [
            "",
            "unknown",
            "jan@example.nl",
            "+31 6 1234",
            "42",
            "J",
            "https://x.example",
            "Visitor",
            "damp-sun-912",
        ] {
            assert_eq!(PersonName::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agreeing_is_mutual_and_a_name_agrees_with_itself(one in "\\PC{0,30}", other in "\\PC{0,30}") {
            if let (Some(one), Some(other)) = (PersonName::parse(&one), PersonName::parse(&other)) {
                prop_assert!(one.agrees(&one));
                prop_assert_eq!(one.agrees(&other), other.agrees(&one));
                prop_assert_eq!(PersonName::from_key(&one.key()), one);
            }
        }
    }
}
