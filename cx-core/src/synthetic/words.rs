//! Invented people and what they write, in several languages.

use super::chance::Chance;

/// What is said where, and by whom.
pub(super) struct Tongue {
    /// Its BCP 47 tag.
    pub(super) lang: &'static str,
    /// The ending of mail addresses.
    pub(super) domain: &'static str,
    /// The country code, and the digits with which mobile numbers begin behind it.
    pub(super) mobile: &'static str,
    /// How many digits follow.
    pub(super) digits: u32,
    first: &'static [&'static str],
    last: &'static [&'static str],
    subjects: &'static [&'static str],
    asks: &'static [&'static str],
    adds: &'static [&'static str],
    answers: &'static [&'static str],
}

const TONGUES: [Tongue; 5] = [
    Tongue {
        lang: "nl",
        domain: "voorbeeldpost.nl",
        mobile: "+316",
        digits: 8,
        first: &["Jan", "Eva", "Sanne", "Daan", "Fleur", "Bram", "Lotte", "Sem", "Noor", "Mehmet"],
        last: &["de Vries", "Jansen", "Bakker", "Visser", "Smit", "van Dijk", "Mulder", "Yılmaz"],
        subjects: &["Waar blijft mijn bestelling?", "Verkeerde maat", "Factuur", "Retour"],
        asks: &[
            "Mijn bestelling is nog niet aangekomen.",
            "Ik heb de verkeerde maat ontvangen.",
            "Kunt u mij de factuur nog eens sturen?",
            "De rits van mijn jas is kapot.",
        ],
        adds: &[
            "Kunt u dat nakijken?",
            "Ik wacht al een week.",
            "Alvast bedankt.",
            "Graag snel antwoord.",
        ],
        answers: &[
            "We hebben het nagekeken: het pakket is onderweg.",
            "U krijgt vandaag een retourlabel.",
            "De factuur zit in de bijlage.",
            "Excuses, we sturen een nieuwe.",
        ],
    },
    Tongue {
        lang: "de",
        domain: "beispielpost.de",
        mobile: "+49151",
        digits: 8,
        first: &[
            "Anna", "Jürgen", "Lena", "Björn", "Sophie", "Max", "Ayşe", "Felix", "Marie", "Otto",
        ],
        last: &["Müller", "Schmidt", "Weber", "Fischer", "Schröder", "Köhler", "Krüger", "Demir"],
        subjects: &["Lieferung fehlt", "Größe tauschen", "Rechnung", "Rückgabe"],
        asks: &[
            "Meine Bestellung ist noch nicht da.",
            "Ich möchte die Größe umtauschen.",
            "Bitte schicken Sie mir die Rechnung noch einmal.",
            "Der Reißverschluss ist defekt.",
        ],
        adds: &[
            "Können Sie das prüfen?",
            "Ich warte seit einer Woche.",
            "Vielen Dank.",
            "Es eilt leider.",
        ],
        answers: &[
            "Wir haben nachgesehen: das Paket ist unterwegs.",
            "Das Etikett kommt heute per Mail.",
            "Die Rechnung liegt bei.",
            "Entschuldigung, wir schicken Ersatz.",
        ],
    },
    Tongue {
        lang: "en",
        domain: "examplemail.co.uk",
        mobile: "+4477001",
        digits: 5,
        first: &[
            "Oliver", "Amelia", "Harry", "Isla", "Priya", "George", "Ava", "Noah", "Grace", "Zoe",
        ],
        last: &["Smith", "Jones", "Taylor", "Brown", "Patel", "Wilson", "Evans", "Walker"],
        subjects: &["Where is my order?", "Wrong size", "Invoice needed", "Return"],
        asks: &[
            "My order has not arrived yet.",
            "The jacket you sent is too small.",
            "Could you send me the invoice again?",
            "The zip broke on the second day.",
        ],
        adds: &[
            "Can you look into it?",
            "I have waited a week now.",
            "Thanks in advance.",
            "Please be quick.",
        ],
        answers: &[
            "We looked into it: the parcel is on its way.",
            "A return label is in your inbox.",
            "The invoice is attached.",
            "Sorry about that, a new one leaves today.",
        ],
    },
    Tongue {
        lang: "fr",
        domain: "courrier-exemple.fr",
        mobile: "+336",
        digits: 8,
        first: &["Chloé", "Hugo", "Léa", "Théo", "Inès", "Jules", "Zoé", "Élodie", "Karim", "Luc"],
        last: &["Martin", "Bernard", "Dubois", "Lefèvre", "Moreau", "Girard", "Benali", "Petit"],
        subjects: &["Où est ma commande ?", "Mauvaise taille", "Facture", "Retour"],
        asks: &[
            "Ma commande n'est pas encore arrivée.",
            "La veste est trop petite.",
            "Pouvez-vous me renvoyer la facture ?",
            "La fermeture s'est cassée hier.",
        ],
        adds: &[
            "Pouvez-vous vérifier ?",
            "J'attends depuis une semaine.",
            "Merci d'avance.",
            "C'est urgent.",
        ],
        answers: &[
            "Nous avons vérifié : le colis est en route.",
            "L'étiquette de retour arrive par mail.",
            "La facture est jointe.",
            "Toutes nos excuses, un autre part aujourd'hui.",
        ],
    },
    Tongue {
        lang: "es",
        domain: "correo-ejemplo.es",
        mobile: "+346",
        digits: 8,
        first: &[
            "Lucía", "Hugo", "Martín", "Sofía", "Julia", "Álvaro", "Nuño", "Carmen", "Iker",
            "Paula",
        ],
        last: &["García", "López", "Muñoz", "Pérez", "Sánchez", "Ibáñez", "Ruiz", "Díaz"],
        subjects: &["¿Dónde está mi pedido?", "Talla equivocada", "Factura", "Devolución"],
        asks: &[
            "Mi pedido todavía no ha llegado.",
            "La chaqueta me queda pequeña.",
            "¿Pueden enviarme otra vez la factura?",
            "La cremallera se rompió ayer.",
        ],
        adds: &[
            "¿Lo pueden mirar?",
            "Llevo una semana esperando.",
            "Gracias de antemano.",
            "Es urgente.",
        ],
        answers: &[
            "Lo hemos mirado: el paquete está en camino.",
            "La etiqueta llega hoy por correo.",
            "La factura va adjunta.",
            "Lo sentimos, enviamos otra hoy.",
        ],
    },
];

/// What the company sells: article number and name.
pub(super) const ARTICLES: [(&str, &str); 6] = [
    ("RJ-1", "Rain jacket"),
    ("WB-7", "Water bottle"),
    ("HB-3", "Hiking boots"),
    ("TS-2", "Tent for two"),
    ("SB-9", "Sleeping bag"),
    ("HL-4", "Head lamp"),
];

impl Tongue {
    /// The language somebody speaks.
    pub(super) fn of(chance: &mut Chance) -> &'static Self {
        let [dutch, german, english, french, spanish] = &TONGUES;
        match chance.below(10) {
            0..=3 => dutch,
            4..=5 => german,
            6..=7 => english,
            8 => french,
            _ => spanish,
        }
    }

    /// First and last name.
    pub(super) fn name(&self, chance: &mut Chance) -> (&'static str, &'static str) {
        (chance.one_of(self.first), chance.one_of(self.last))
    }

    pub(super) fn subject(&self, chance: &mut Chance) -> &'static str {
        chance.one_of(self.subjects)
    }

    /// What a customer writes, about an order.
    pub(super) fn question(&self, chance: &mut Chance) -> String {
        let order = 1000 + chance.below(900_000);
        format!("{} {} (#{order})", chance.one_of(self.asks), chance.one_of(self.adds))
    }

    /// What an agent answers.
    pub(super) fn answer(&self, chance: &mut Chance) -> &'static str {
        chance.one_of(self.answers)
    }
}
