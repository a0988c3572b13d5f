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

/// A person's name as it is compared: a given name and, where there is one, a family name.
///
/// Made from what people write: `Jan de Vries`, `de Vries, Jan`, `Dr. J. Vries`. Case, accents,
/// titles and middle names do not matter; `Mr Vries` is a family name alone, and of a man. What has
/// no letters, or is a placeholder, an address or a number, is no name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonName {
    given: String,
    family: String,
    /// What a title says, where the given name does not say it.
    gender: Option<Gender>,
}

/// What a title says of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Gender {
    Man,
    Woman,
}

/// How much of a name is missing: of names that agree, one that says less may be of several who do
/// not agree with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Brevity {
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
    /// assert!(!jan.agrees(&PersonName::parse("Eva de Vries").unwrap()));
    /// assert_eq!(PersonName::parse("jan@example.nl"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        if text::is_placeholder(text) || text.contains('@') || text.contains("://") {
            return None;
        }
        let (front, back) = match text.split_once(',') {
            Some((family, given)) if !words(given).is_empty() => (words(given), words(family)),
            _ => (words(text), Vec::new()),
        };
        let is_turned = !back.is_empty();
        let words: Vec<String> = front.into_iter().chain(back).collect();
        let letters =
            words.iter().flat_map(|word| word.chars()).filter(|c| c.is_alphabetic()).count();
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
        let title = if is_turned { None } else { title(text) };
        let (given, family) = match words.as_slice() {
            // What stands alone behind a title is a family name.
            [word] if title.as_ref().is_some_and(|title| title != word) => {
                (String::new(), word.clone())
            }
            [given, .., family] => (given.clone(), family.clone()),
            [given] => (given.clone(), String::new()),
            [] => return None,
        };
        let gender = title.filter(|_| given.len() <= 1).and_then(|title| {
            GENDERED.iter().find(|(word, _)| *word == title).map(|(_, gender)| *gender)
        });
        Some(Self { given, family, gender })
    }

    /// The form in which equal names are equal bytes: `jan vries`, and ` vries mr` for a family name
    /// behind a title.
    pub fn key(&self) -> String {
        let title = match self.gender {
            None => "",
            Some(Gender::Man) => " mr",
            Some(Gender::Woman) => " mrs",
        };
        format!("{} {}{title}", self.given, self.family).trim_end().to_owned()
    }

    /// The name that [`PersonName::key`] gave.
    pub fn from_key(key: &str) -> Self {
        let mut parts = key.splitn(3, ' ').map(str::to_owned);
        let (given, family) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let gender = match parts.next().as_deref() {
            Some("mr") => Some(Gender::Man),
            Some("mrs") => Some(Gender::Woman),
            _ => None,
        };
        Self { given, family, gender }
    }

    /// The given name and the family name, each empty where there is none.
    pub(crate) fn parts(&self) -> (&str, &str) {
        (&self.given, &self.family)
    }

    /// How much of the name is missing.
    pub fn brevity(&self) -> Brevity {
        if self.given.len() <= 2 && !self.family.is_empty() {
            Brevity::Initial
        } else if self.family.is_empty() {
            Brevity::GivenOnly
        } else if nickname_mask(&self.given).count_ones() > 1 {
            Brevity::Nickname
        } else {
            Brevity::Whole
        }
    }

    /// Whether both may be the name of one person: family names at most one letter apart, given
    /// names at most one letter apart, a short form of each other, or an initial of it; a letter
    /// counts from names of four letters on. What is missing of one agrees with all, but not the
    /// title of a man with that of a woman; given and family name may be swapped.
    pub fn agrees(&self, other: &Self) -> bool {
        if self.gender.is_some() && other.gender.is_some() && self.gender != other.gender {
            return false;
        }
        if self.given.is_empty() || other.given.is_empty() {
            let family = |name: &'_ Self| {
                if name.family.is_empty() { name.given.clone() } else { name.family.clone() }
            };
            return near(&family(self), &family(other));
        }
        if self.family.is_empty() || other.family.is_empty() {
            return given_agree(&self.given, &other.given);
        }
        let straight = near(&self.family, &other.family) && given_agree(&self.given, &other.given);
        let swapped = self.given == other.family && self.family == other.given;
        straight || swapped
    }
}

/// The words of a name in plain letters, without titles and particles where others are left.
pub(crate) fn words(text: &str) -> Vec<String> {
    let latin = deunicode::deunicode_with_tofu(text, "?");
    let folded = text::folded(&latin);
    let cleaned: String = folded
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '\'' || c == '-' { c } else { ' ' })
        .collect();
    let all: Vec<String> = cleaned
        .split_whitespace()
        .map(|word| word.trim_matches(['\'', '-']).to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    let bare: Vec<String> =
        all.iter().filter(|word| !TITLES.contains(&word.as_str())).cloned().collect();
    let mut bare = if bare.is_empty() { all } else { bare };
    let is_more = |word: &&String| word.len() > 1 && !PARTICLES.contains(&word.as_str());
    if bare.first().is_some_and(|first| TITLES_OR_NAMES.contains(&first.as_str()))
        && bare.iter().skip(1).filter(is_more).count() > 1
    {
        bare.remove(0);
    }
    let named: Vec<String> =
        bare.iter().filter(|word| !PARTICLES.contains(&word.as_str())).cloned().collect();
    if named.is_empty() { bare } else { named }
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

fn given_agree(one: &str, other: &str) -> bool {
    if near(one, other) {
        return true;
    }
    let initial = |short: &str, long: &str| short.len() <= 2 && long.starts_with(short);
    initial(one, other)
        || initial(other, one)
        || NICKNAMES.iter().any(|group| group.contains(&one) && group.contains(&other))
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
