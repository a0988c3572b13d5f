//! What somebody wrote in this mail, without the mails before it and the signature below.
//!
//! Programs mark what they quote in a few ways that have hardly changed in thirty years; the words
//! stand in tables, one entry a language. Whatever is not recognised stays.

use cx_core::text::folded;

/// `-----Original Message-----` and its like, in folded form.
const ORIGINAL: &[&str] = &[
    "original message",
    "original-nachricht",
    "ursprüngliche nachricht",
    "oorspronkelijk bericht",
    "message d'origine",
    "message original",
    "mensaje original",
    "messaggio originale",
    "mensagem original",
    "ursprungligt meddelande",
    "originalmeddelande",
    "oprindelig meddelelse",
    "opprinnelig melding",
    "alkuperäinen viesti",
    "wiadomość oryginalna",
    "původní zpráva",
    "původní e-mail",
    "eredeti üzenet",
    "исходное сообщение",
    "reply above this line",
];

/// `---------- Forwarded message ---------`: what follows is what the mail is about.
const FORWARDED: &[&str] = &[
    "forwarded message",
    "begin forwarded message:",
    "doorgestuurd bericht",
    "begin doorgestuurd bericht:",
    "weitergeleitete nachricht",
    "anfang der weitergeleiteten nachricht:",
    "message transféré",
    "début du message transféré :",
    "début du message réexpédié :",
    "mensaje reenviado",
    "inicio del mensaje reenviado:",
    "messaggio inoltrato",
    "inizio messaggio inoltrato:",
    "mensagem encaminhada",
    "vidarebefordrat meddelande",
    "videresendt meddelelse",
    "videresendt melding",
    "przekazana wiadomość",
];

/// The line before a quotation, as far as it is always the same: how it begins, and a word that
/// stands in it. The beginning may be empty.
const ATTRIBUTIONS: &[(&str, &str)] = &[
    ("on ", "wrote"),
    ("op ", "schreef"),
    ("op ", "geschreven"),
    ("am ", "schrieb"),
    ("le ", "a écrit"),
    ("el ", "escribió"),
    ("em ", "escreveu"),
    ("il ", "ha scritto"),
    ("den ", "skrev"),
    ("", "skrev"),
    ("", "kirjoitti"),
    ("w dniu ", "napisa"),
    ("", "napisał"),
    ("dne ", "napsal"),
    ("", "írta"),
    ("", "написал"),
    ("", "пишет"),
    ("", "写道"),
    ("", "寫道"),
    ("", "şunu yazdı"),
    ("", "şunları yazdı"),
    ("", "a scris"),
    ("", "wrote"),
    ("", "schreef"),
    ("", "schrieb"),
    ("", "a écrit"),
    ("", "escribió"),
    ("", "escreveu"),
    ("", "ha scritto"),
];

/// The words for the sender's line in a block of headers above a quotation.
const FROM: &[&str] =
    &["from", "van", "von", "de", "da", "från", "fra", "lähettäjä", "od", "feladó", "от"];

/// The words for the other lines of such a block.
const BLOCK: &[(Place, &[&str])] = &[
    (
        Place::Sent,
        &[
            "sent",
            "date",
            "verzonden",
            "datum",
            "gesendet",
            "envoyé",
            "envoyé le",
            "enviado",
            "enviado el",
            "enviada em",
            "enviado em",
            "fecha",
            "inviato",
            "data",
            "skickat",
            "sendt",
            "dato",
            "lähetetty",
            "päivämäärä",
            "wysłano",
            "odesláno",
            "elküldve",
            "отправлено",
            "дата",
        ],
    ),
    (
        Place::To,
        &[
            "to",
            "aan",
            "an",
            "à",
            "para",
            "a",
            "do",
            "till",
            "til",
            "vastaanottaja",
            "komu",
            "címzett",
            "кому",
        ],
    ),
    (
        Place::Subject,
        &[
            "subject",
            "onderwerp",
            "betreff",
            "objet",
            "asunto",
            "assunto",
            "oggetto",
            "ämne",
            "emne",
            "aihe",
            "temat",
            "předmět",
            "tárgy",
            "тема",
        ],
    ),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Sent,
    To,
    Subject,
}

/// Lines that telephones and programs put below a text, in folded form: how they begin, and what
/// else stands in them.
const DEVICES: &[(&str, &str)] = &[
    ("sent from my ", ""),
    ("sent from mail for windows", ""),
    ("sent from outlook", ""),
    ("get outlook for ", ""),
    ("verzonden vanaf mijn ", ""),
    ("verstuurd vanaf mijn ", ""),
    ("verzonden vanuit ", "windows"),
    ("verstuurd vanuit ", "windows"),
    ("outlook voor ", "downloaden"),
    ("von meinem ", "gesendet"),
    ("gesendet von ", "windows"),
    ("gesendet mit ", " app"),
    ("outlook für ", "beziehen"),
    ("envoyé de mon ", ""),
    ("envoyé depuis mon ", ""),
    ("obtenir outlook pour ", ""),
    ("télécharger outlook pour ", ""),
    ("enviado desde mi ", ""),
    ("obtener outlook para ", ""),
    ("enviado do meu ", ""),
    ("enviado de meu ", ""),
    ("obter o outlook para ", ""),
    ("inviato da iphone", ""),
    ("inviato dal mio ", ""),
    ("scarica outlook per ", ""),
    ("skickat från min ", ""),
    ("sendt fra min ", ""),
    ("lähetetty iphonesta", ""),
    ("wysłane z iphone", ""),
];

/// The most lines of a signature below `--` without the space that should follow it.
const SIGNATURE_LINES: usize = 12;

/// What was written, and whether anything was cut: never nothing, where anything stands.
///
/// Cut are quoted lines (`>`) wherever they stand, the line that announces them, everything below
/// `-----Original Message-----` and blocks of headers, and signatures. What stands below a
/// quotation is kept, for those who answer there; so is a forwarded mail, since it is what the
/// mail is about: behind a ruled line, or, where the subject says that the mail is one, behind its
/// headers.
pub(super) fn written(whole: &str, is_forward: bool) -> Option<String> {
    let lines: Vec<&str> = whole.lines().collect();
    let mut kept: Vec<&str> = Vec::new();
    let mut rest = Rest { lines: &lines, at: 0, is_forward };
    while let Some(step) = rest.step() {
        match step {
            Step::Keep(line) => kept.push(line),
            Step::KeepAll(lines) => kept.extend(lines),
            Step::Cut => {}
            Step::CutRule => {
                let is_rule = |line: &&str| line.trim().chars().all(|c| c == '_' || c == '-');
                while kept.last().is_some_and(is_rule) {
                    kept.truncate(kept.len() - 1);
                }
            }
        }
    }
    let text = kept.join("\n").trim().to_owned();
    (!text.is_empty() && text != whole.trim()).then_some(text)
}

/// How the subject of a forwarded mail begins, in folded form.
const FORWARDS: &[&str] =
    &["fw:", "fwd:", "wg:", "tr:", "doorst:", "rv:", "vs:", "vb:", "i:", "enc:", "pd:"];

/// Whether a subject says that the mail was forwarded.
pub(super) fn is_forward(subject: &str) -> bool {
    let subject = folded(subject);
    FORWARDS.iter().any(|start| subject.starts_with(start))
}

struct Rest<'l, 't> {
    lines: &'l [&'t str],
    at: usize,
    is_forward: bool,
}

enum Step<'t> {
    Keep(&'t str),
    KeepAll(Vec<&'t str>),
    Cut,
    /// Nothing follows, and a ruled line above goes too.
    CutRule,
}

impl<'t> Rest<'_, 't> {
    fn step(&mut self) -> Option<Step<'t>> {
        let line = *self.lines.get(self.at)?;
        let (start, end) = (self.at, self.lines.len());
        self.at += 1;
        if self.is_quoted(start) {
            return Some(Step::Cut);
        }
        if is_ruled(line, FORWARDED) || self.is_forward && self.is_block(start) {
            self.at = end;
            return Some(Step::KeepAll(self.lines.get(start..).unwrap_or_default().to_vec()));
        }
        if is_ruled(line, ORIGINAL) || self.is_block(start) {
            self.at = end;
            return Some(Step::CutRule);
        }
        if self.is_announcement(start) {
            return Some(Step::Cut);
        }
        if let Some(length) = self.attribution(start) {
            self.at = if self.is_quoted_after(start + length) { start + length } else { end };
            return Some(Step::Cut);
        }
        if self.is_signature(start) {
            self.at = (start + 1..end).find(|at| self.is_history(*at)).unwrap_or(end);
            return Some(Step::Cut);
        }
        Some(Step::Keep(line))
    }

    fn line(&self, at: usize) -> &'t str {
        self.lines.get(at).copied().unwrap_or_default()
    }

    /// Whether a line is marked as quoted. `>50 EUR` alone is no quotation.
    fn is_quoted(&self, at: usize) -> bool {
        let is_marked = |at: usize| self.line(at).starts_with('>');
        let is_amount = |line: &str| {
            line.strip_prefix('>')
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let is_alone = !is_marked(at + 1) && !at.checked_sub(1).is_some_and(is_marked);
        is_marked(at) && !(is_alone && is_amount(self.line(at)))
    }

    /// Whether earlier mails begin here.
    fn is_history(&self, at: usize) -> bool {
        let line = self.line(at);
        self.is_quoted(at)
            || is_ruled(line, ORIGINAL)
            || is_ruled(line, FORWARDED)
            || self.is_block(at)
            || self.attribution(at).is_some()
    }

    /// A line `From:` with two other such lines close below it, a date, a subject or a recipient.
    /// A journey is from and to somewhere, too, and a form has a sender and a subject: so somebody has
    /// an address or the date has a year, and no other field of a form stands right above. A few programs
    /// put the date above the sender.
    fn is_block(&self, at: usize) -> bool {
        let place = |at: usize| {
            let label = label(self.line(at))?;
            let found = BLOCK.iter().find(|(_, words)| words.contains(&label.as_str()));
            found.map(|(place, _)| *place)
        };
        if !self.is_sender(at) {
            return place(at) == Some(Place::Sent)
                && self.is_sender(at + 1)
                && self.is_block_of(at + 1, Some(at), place);
        }
        self.is_block_of(at, None, place)
    }

    fn is_block_of(
        &self,
        at: usize,
        dated: Option<usize>,
        place: impl Fn(usize) -> Option<Place>,
    ) -> bool {
        let above = dated.unwrap_or(at).checked_sub(1).map(|at| self.line(at));
        let is_field = |line: &str| {
            let value = line.split_once(':').map(|(_, value)| value.trim());
            label(line).is_some_and(|label| label.split(' ').count() < 4)
                && value.is_some_and(|value| !value.is_empty() && !value.starts_with("//"))
        };
        if above.is_some_and(is_field) {
            return false;
        }
        let places: Vec<(usize, Place)> =
            (at + 1..at + 7).filter_map(|at| Some((at, place(at)?))).collect();
        let find = |wanted| places.iter().find(|(_, place)| *place == wanted).map(|(at, _)| *at);
        let has_address = |at: Option<usize>| at.is_some_and(|at| self.line(at).contains('@'));
        let sent = dated.or(find(Place::Sent));
        match (sent, find(Place::To), find(Place::Subject)) {
            (sent, to, Some(_)) if sent.is_some() || to.is_some() => {
                let has_year = |line: &str| line.split(|c: char| !c.is_ascii_digit()).any(is_year);
                has_address(Some(at))
                    || has_address(to)
                    || sent.is_some_and(|at| has_year(self.line(at)))
            }
            (Some(_), Some(to), None) => has_address(Some(at)) || has_address(Some(to)),
            _ => false,
        }
    }

    fn is_sender(&self, at: usize) -> bool {
        label(self.line(at)).is_some_and(|label| FROM.contains(&label.as_str()))
    }

    /// How many lines, up to three, are the announcement of a quotation that begins here.
    ///
    /// What stands right above an announcement is text: of the lines from which it could begin, the
    /// last that has the words with which one begins; where it has none, the last with an address, and
    /// the line above that if the date stands there.
    fn attribution(&self, at: usize) -> Option<usize> {
        let (mut written, mut length) = (Vec::new(), 0);
        loop {
            let line = self.line(at + written.len()).trim();
            length += line.len();
            if line.is_empty() || length > 500 || written.len() == 3 {
                return None;
            }
            written.push(line);
            if line.ends_with([':', '：']) {
                break;
            }
        }
        let lines: Vec<String> = written.into_iter().map(folded).collect();
        let from = |start: usize| lines.get(start..).unwrap_or_default().join(" ");
        let starts = 0..lines.len();
        let begun = starts.clone().rev().find(|start| is_attribution(&from(*start), true));
        let begun = begun.or_else(|| {
            let last = starts.clone().rev().find(|start| is_attribution(&from(*start), false))?;
            let is_dated = |line: &String| {
                let words = || line.split(|c: char| c.is_whitespace() || c == ',');
                words().any(is_clock) && words().any(is_year)
            };
            let above = last.checked_sub(1);
            Some(above.filter(|above| lines.get(*above).is_some_and(is_dated)).unwrap_or(last))
        });
        (begun == Some(0)).then_some(lines.len())
    }

    /// Whether a line announces the quotation right below it, in whatever language: it ends in a
    /// colon, and says whose, at which time of day and in which year.
    fn is_announcement(&self, at: usize) -> bool {
        let line = self.line(at).trim();
        let says_who = line.contains('@') && line.contains(['<', '(']);
        let numbers = || line.split(|c: char| !(c.is_ascii_digit() || ":.".contains(c)));
        line.len() <= 500
            && line.ends_with([':', '：'])
            && says_who
            && numbers().any(is_clock)
            && numbers().flat_map(|word| word.split('.')).any(is_year)
            && self.is_quoted_after(at + 1)
    }

    /// Whether the next line that says anything is quoted.
    fn is_quoted_after(&self, at: usize) -> bool {
        let rest = self.lines.get(at..).unwrap_or_default();
        rest.iter().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with('>'))
    }

    fn is_signature(&self, at: usize) -> bool {
        let line = self.line(at);
        if line == "-- " || line == "--\u{a0}" {
            return true;
        }
        let is_near_end = |limit: usize| {
            let rest = (at + 1..self.lines.len()).take_while(|at| !self.is_history(*at));
            rest.filter(|at| !self.line(*at).trim().is_empty()).take(limit + 1).count() <= limit
        };
        if line.trim_end() == "--" {
            return is_near_end(SIGNATURE_LINES);
        }
        let text = folded(line);
        let is_sentence = text.contains([',', '?', '!', ';']) || text.split(' ').count() > 10;
        let is_device = line.chars().count() < 100
            && !is_sentence
            && DEVICES.iter().any(|(start, word)| text.starts_with(start) && text.contains(word));
        is_device && is_near_end(2)
    }
}

/// Whether a line holds one of these texts between dashes, or alone where it ends in a colon.
fn is_ruled(line: &str, texts: &[&str]) -> bool {
    if line.len() > 200 {
        return false;
    }
    let trimmed = line.trim().trim_matches(['*', '#']).trim();
    let inner = trimmed.trim_matches(['-', '_', '=', '–', '—', '#', ' ']);
    let has_rule = inner.len() + 3 < trimmed.len();
    if !has_rule && !inner.ends_with(':') {
        return false;
    }
    let inner = folded(&inner.replace('’', "'"));
    texts.iter().any(|text| {
        if text.ends_with(':') { inner == *text } else { has_rule && inner.ends_with(text) }
    })
}

/// `from` of `*From:* Jan`: the folded word before the first colon.
fn label(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches('*');
    let (label, _) = line.get(..line.len().min(60)).unwrap_or(line).split_once(':')?;
    Some(folded(label.trim_end_matches('*')))
}

/// Whether a folded text that ends in a colon announces a quotation: a verb of writing, and an
/// address or a time of day. Either with the words with which one begins, or without any.
fn is_attribution(text: &str, is_begun: bool) -> bool {
    let says_who = text.contains('@') && (text.contains('<') || text.contains('('));
    let says_when = text.split(|c: char| c.is_whitespace() || c == ',').any(is_clock);
    ATTRIBUTIONS.iter().filter(|(start, _)| start.is_empty() != is_begun).any(|(start, verb)| {
        let has_words = text.starts_with(start) && text.contains(verb);
        has_words && (says_who || says_when && is_begun)
    })
}

/// `2026`.
fn is_year(word: &str) -> bool {
    word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// `9:05`, `09.05`, `9:05:00`.
fn is_clock(word: &str) -> bool {
    let parts: Vec<&str> = word.split([':', '.', 'h']).collect();
    let is_number = |part: &&str| {
        (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    (2..=3).contains(&parts.len())
        && parts.iter().all(is_number)
        && parts.get(1).is_some_and(|minutes| minutes.len() == 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(whole: &str, expected: &str) {
        assert_eq!(
            written(whole, false).as_deref().unwrap_or(whole.trim()),
            expected,
            "of {whole:?}"
        );
    }

    #[test]
    fn a_text_without_history_is_kept_as_it_is() {
        for text in
            ["Where is my order?", "Dear all\n\nOn Monday I wrote:\nnothing came", "", "--", "> "]
        {
            assert_eq!(written(text, false), None, "{text:?}");
        }
    }

    #[test]
    fn the_history_below_an_answer_is_cut_in_every_language() {
        for line in [
            "On Mon, Mar 2, 2026 at 9:00 AM Acme <help@acme.example> wrote:",
            "On Mon, Mar 2, 2026 at 9:00 AM Acme Customer Service Team\n<help@acme.example> wrote:",
            "Op ma 2 mrt 2026 om 09:00 schreef Acme <help@acme.example>:",
            "Op 2 mrt. 2026, om 09:00 heeft Acme <help@acme.example> het volgende geschreven:",
            "Am 02.03.2026 um 09:00 schrieb Acme <help@acme.example>:",
            "Le lun. 2 mars 2026 à 09:00, Acme <help@acme.example> a écrit :",
            "El lun, 2 mar 2026 a las 9:00, Acme (<help@acme.example>) escribió:",
            "Em seg., 2 de mar. de 2026 às 09:00, Acme <help@acme.example> escreveu:",
            "Il giorno lun 2 mar 2026 alle ore 09:00 Acme <help@acme.example> ha scritto:",
            "Den mån 2 mars 2026 kl 09:00 skrev Acme <help@acme.example>:",
            "man. 2. mar. 2026 kl. 09.00 skrev Acme <help@acme.example>:",
            "pon., 2 mar 2026 o 09:00 Acme <help@acme.example> napisał(a):",
            "-----Original Message-----",
            "-----Oorspronkelijk bericht-----",
            "-----Ursprüngliche Nachricht-----",
            "-----Message d’origine-----",
            "________________________________\nFrom: Acme\nSent: Monday, March 2, 2026 9:12 AM\nTo: Jan\nSubject: Hi",
            "Van: Acme\nVerzonden: maandag 2 maart 2026\nAan: Jan\nOnderwerp: Hoi",
            "*Von:* Acme\n*Gesendet:* Montag, 2. März 2026\n*An:* Jan\n*Betreff:* Hallo",
            "De : Acme <help@acme.example>\nEnvoyé : lundi\nÀ : Jan\nObjet : Bonjour",
            "Gesendet: Montag, 2. März 2026 um 09:00 Uhr\nVon: \"Acme\" <help@acme.example>\nAn: jan@example.nl\nBetreff: Re: Frage",
            "From: help@acme.example\nDate: Monday\nTo: Jan",
            "##- Please type your reply above this line -##",
        ] {
            check(&format!("It works.\n\n{line}\n\nDid it work?\nAcme"), "It works.");
        }
    }

    #[test]
    fn the_line_right_above_a_quotation_is_cut_in_any_language() {
        for line in [
            "2026年3月2日(月) 9:12 Acme Help <help@acme.example>:",
            "在 2026年3月2日周一 09:12，Acme Help <help@acme.example> 写道：",
            "Acme Help <help@acme.example>, 2 Mar 2026 Pzt, 09:12 tarihinde şunu yazdı:",
            "Pe lun., 2 mar. 2026 la 09:12, Acme Help <help@acme.example> a scris:",
            "Στις 2.3.2026 9:12, Acme <help@acme.example> έγραψε:",
        ] {
            check(&format!("Where is it?\n\n{line}\n\n> Dear Jan"), "Where is it?");
        }
        check(
            "Kde je?\n\n---------- Původní e-mail ----------\nOd: Acme <a@acme.example>\nx",
            "Kde je?",
        );
        // Without a quotation below it is text, in a language that is not in the table.
        let told = "Το έγραψε η Acme <help@acme.example> στις 2.3.2026 9:12:\nΔεν ήρθε";
        assert_eq!(written(told, false), None);
    }

    #[test]
    fn a_journey_and_a_form_are_text() {
        for text in [
            "I would like this:\n\nFrom: Amsterdam\nTo: Paris Nord\nDate: 12 March 2026\n\nMy number is 0612345678",
            "Datum: 12 maart\nVan: Amsterdam\nAan: Parijs\n\nTwee personen",
            "Change my booking:\nFrom: Amsterdam\nTo: Paris\nDate: 3 March\nSubject: trip\nI am 80 and need help.",
            "Hallo,\nVan: dinsdag\nTot: vrijdag\nAan: huis\nOnderwerp: levering\nKan dat?",
            "Name: Jan\nFrom: jan@example.nl\nSubject: question\nDate: 2026\nMessage: My question",
            "Where is it?\nSent from my old house to the new one, it never arrived.",
            "Prices:\n>50 EUR is fine\nok",
        ] {
            assert_eq!(written(text, false), None, "{text:?}");
        }
    }

    #[test]
    fn an_answer_between_and_below_the_quotation_is_kept() {
        check(
            "On Mon, Mar 2, 2026 at 9:00 Acme <help@acme.example> wrote:\n> Which size?\n\nM\n\n> Which colour?\nBlue",
            "M\n\nBlue",
        );
    }

    #[test]
    fn a_signature_is_cut() {
        check("Yes.\n-- \nJan de Vries\nExample BV\n+31 20 555 0100", "Yes.");
        check("Yes.\n--\nJan", "Yes.");
        check("Ja graag\n\nVerstuurd vanaf mijn iPhone", "Ja graag");
        check(
            "Yes\n\nSent from my iPhone\n\nOn 2 Mar 2026, at 09:00, A <a@x.example> wrote:\n\n> Hi",
            "Yes",
        );
        check("Yes\n-- \nJan\n\n> Which size?\n\nM", "Yes\n\nM");
    }

    #[test]
    fn a_rule_in_the_text_is_no_signature() {
        let long = format!("Two questions\n--\n{}", "Another line\n".repeat(20));
        assert_eq!(written(&long, false), None);
    }

    #[test]
    fn a_forwarded_mail_is_what_it_is_about() {
        let mail = "See below\n\n---------- Forwarded message ---------\nFrom: Shop <a@x.example>\nDate: Mon\nSubject: Order\nTo: Jan\n\nYour order";
        check(mail, mail);
    }

    #[test]
    fn a_mail_forwarded_under_its_headers_is_kept_where_the_subject_says_so() {
        let mail =
            "Please handle\n\nFrom: A <a@b.example>\nSent: x\nTo: z\nSubject: y\n\nIt is broken";
        assert_eq!(written(mail, is_forward("FW: It is broken")), None);
        assert_eq!(written(mail, is_forward("RE: It is broken")).as_deref(), Some("Please handle"));
    }

    #[test]
    fn what_stands_right_above_the_announcement_is_kept() {
        for line in [
            "On Mon, Mar 2, 2026 at 9:12 AM Help <help@acme.example> wrote:",
            "On Mon, Mar 2, 2026 at 9:12 AM Acme Service\n<help@acme.example> wrote:",
            "Op ma 2 mrt 2026 om 09:12 schreef Help <help@acme.example>:",
            "pon., 2 mar 2026 o 09:00 Acme\n<help@acme.example> napisał(a):",
            "Help <help@acme.example> skrev den 2. mars 2026 kl. 09:12:",
        ] {
            for text in ["Yes", "Hi,\n\nPlease cancel my order.\nThanks", "Stuur maar op.\nJan"] {
                check(&format!("{text}\n{line}\n> old"), text);
                check(&format!("{text}\n{line}\n\nold"), text);
            }
        }
    }

    #[test]
    fn what_is_all_history_is_kept() {
        for text in ["> a\n> b", "-----Original Message-----\nHi", "-- \nJan"] {
            assert_eq!(written(text, false), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn something_is_always_left_and_nothing_is_added(
            lines in proptest::collection::vec(
                prop_oneof![
                    "[ -~]{0,20}", Just("> q".to_owned()), Just("-- ".to_owned()), Just(String::new()),
                    Just("From: a".to_owned()), Just("Sent: b".to_owned()), Just("To: c".to_owned()),
                    Just("On 2 Mar 2026 at 9:00 <a@b.c> wrote:".to_owned()),
                ],
                0..20,
            )
        ) {
            let whole = lines.join("\n");
            if let Some(text) = written(&whole, false) {
                prop_assert!(!text.trim().is_empty());
                let mut rest = lines.iter().map(|line| line.trim());
                for line in text.lines() {
                    prop_assert!(rest.any(|other| other == line.trim()), "{line:?} of {whole:?}");
                }
            }
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC{0,200}") {
            drop(written(&text, false));
        }
    }
}
