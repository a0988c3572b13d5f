//! Names of persons: the form in which two spellings of one name agree.

use crate::text;

/// Words that stand before or after a name and are no part of it.
const TITLES: &[&str] = &[
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "dhr", "mevr", "mw", "herr", "frau",
    "hr", "sr", "sra", "mme", "mlle", "jr", "phd", "msc", "bsc", "ir", "drs", "dipl",
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

/// Words that stand where a name is missing.
const NOBODY: &[&str] = &[
    "admin", "caller", "client", "contact", "customer", "guest", "klant", "kunde", "member",
    "tester", "user", "visitor",
];

/// Words behind a name that are no part of it: what somebody has learnt, of which kind a company is,
/// the how manyeth of the name.
const SUFFIXES: &[&str] =
    &["mba", "bv", "nv", "gmbh", "ltd", "inc", "llc", "esq", "cpa", "ii", "iii", "iv"];

/// Given names that one letter, or one short form, makes alike, and that are two persons'.
const NOT_ONE: &[(&str, &str)] = &[("anna", "hanna"), ("jean", "jeanne")];

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
        let generation = match self.generation {
            None => "",
            Some(Generation::Junior) => " jr",
            Some(Generation::Senior) => " sr",
        };
        format!("{} {}{title}{generation}", self.given, self.family).trim_end().to_owned()
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
                "jr" => name.generation = Some(Generation::Junior),
                "sr" => name.generation = Some(Generation::Senior),
                _ => {}
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

    /// Whether both may be the name of one person: all further names of one are, but for one letter,
    /// among those of the other, and given names are at most one letter apart, a short form of each
    /// other, or an initial of it. A letter counts from names of four letters on, and none at the
    /// end that tells a man's name from a woman's. What is missing of one agrees with all, but not
    /// the title of a man with that of a woman, nor junior with senior; the order of names does not
    /// matter.
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
        straight || self.all() == other.all()
    }

    /// All names, in order.
    fn all(&self) -> Vec<&str> {
        let further = self.family.split('-').filter(|word| !word.is_empty());
        let mut all: Vec<&str> = std::iter::once(self.given.as_str()).chain(further).collect();
        all.sort_unstable();
        all
    }
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
        Some((family, given)) if !words(given).is_empty() => (words(given), words(family)),
        _ => (words(text), Vec::new()),
    };
    let is_turned = !back.is_empty();
    let words: Vec<String> = front.into_iter().chain(back).collect();
    let letters = words.iter().flat_map(|word| word.chars()).filter(|c| c.is_alphabetic()).count();
    let is_number = |word: &String| word.chars().all(|c| c.is_ascii_digit());
    if letters < 2 || words.iter().any(is_number) {
        return None;
    }
    // Helpdesks call visitors by made-up names: `Visitor`, `damp-sun-912`.
    if let [word] = words.as_slice()
        && (NOBODY.contains(&word.as_str()) || word.contains(|c: char| c.is_ascii_digit()))
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
        _ => None,
    }
}

/// Whether a name says junior or senior: behind the first word, where it is no title, and behind
/// another one, where it may be a name.
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
    let mut all: Vec<(String, bool)> = Vec::new();
    for written in text.split_whitespace() {
        // What is written in other letters is no title and no particle of ours, whatever it sounds
        // like in ours.
        let is_ours = !written.chars().any(|c| c.is_alphabetic() && !c.is_ascii());
        let latin = deunicode::deunicode_with_tofu(written, "?");
        let folded = text::folded(&latin);
        let cleaned: String = folded
            .chars()
            .map(|c| if c.is_alphanumeric() || c == '\'' || c == '-' { c } else { ' ' })
            .collect();
        let bare = cleaned.split_whitespace().map(|word| word.trim_matches(['\'', '-']));
        all.extend(bare.filter(|word| !word.is_empty()).map(|word| (word.to_owned(), is_ours)));
    }
    let is_one_of =
        |(word, is_ours): &(String, bool), of: &[&str]| *is_ours && of.contains(&word.as_str());
    let without = |all: Vec<(String, bool)>, of: &[&str]| {
        let left: Vec<(String, bool)> =
            all.iter().filter(|word| !is_one_of(word, of)).cloned().collect();
        if left.is_empty() { all } else { left }
    };
    let mut bare = without(all, TITLES);
    let is_more = |word: &&(String, bool)| word.0.len() > 1 && !is_one_of(word, PARTICLES);
    if bare.first().is_some_and(|first| is_one_of(first, TITLES_OR_NAMES))
        && bare.iter().skip(1).filter(is_more).count() > 1
    {
        bare.remove(0);
    }
    without(bare, PARTICLES).into_iter().map(|(word, _)| word).collect()
}

/// The title that a name begins with.
fn title(text: &str) -> Option<String> {
    let first = text.split_whitespace().next()?;
    let first = text::folded(first.trim_end_matches('.'));
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
    let (one, other): (Vec<&str>, Vec<&str>) =
        (one.split('-').collect(), other.split('-').collect());
    let (few, many) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    if few.len() == many.len() {
        // Either way round, so that agreeing is mutual.
        let among = |ones: &[&str], others: &[&str]| {
            ones.iter().all(|word| others.iter().any(|other| near(word, other)))
        };
        return among(&few, &many) && among(&many, &few);
    }
    few.iter().all(|word| many.iter().any(|other| near(word, other)))
}

fn given_agree(one: &str, other: &str) -> bool {
    let initial = |short: &str, long: &str| is_initial(short) && long.starts_with(short);
    let is_pair = |(a, b): &(&str, &str)| *a == one && *b == other || *a == other && *b == one;
    if NOT_ONE.iter().any(is_pair) {
        return false;
    }
    let (a, b) = (nickname_mask(one), nickname_mask(other));
    let are_known = a != 0 && b != 0;
    one == other
        || a & b != 0
        || initial(one, other)
        || initial(other, one)
        || !are_known && given_near(one, other)
}

/// An initial, or two letters that are no name: `Bo` and `Jo` are names, `Th.` is none.
fn is_initial(word: &str) -> bool {
    word.len() == 1 || word.len() == 2 && !has_vowel(word)
}

fn has_vowel(word: &str) -> bool {
    word.contains(['a', 'e', 'i', 'o', 'u', 'y'])
}

/// At most one letter apart, and not by a vowel at the end, which tells Paul from Paula. Names of
/// scripts without vowels have no letter to spare.
fn given_near(one: &str, other: &str) -> bool {
    if !has_vowel(one) || !has_vowel(other) || !near(one, other) {
        return false;
    }
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let ends = [one, other].map(|name| name.get(same..).unwrap_or_default());
    !(ends.iter().all(|end| end.len() <= 1) && ends.iter().any(|end| has_vowel(end)))
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
