//! Names of invented people: given names as they are common, family names put together from parts
//! of names.

use crate::chance::{Chance, Ranks};

/// The names of people of one tongue.
struct Tongue {
    given: &'static str,
    stems: &'static str,
    endings: &'static str,
}

const TONGUES: &[Tongue] = &[
    Tongue {
        given: "James Mary John Susan Robert Linda Michael Karen William Emily David Laura Richard \
                Sarah Thomas Amy Charles Ruth Daniel Helen Matthew Grace Anthony Joan Steven Alice \
                Andrew Julie Edward Judith Timothy Rebecca Gregory Victoria Nicholas Margaret \
                Samuel Patricia Benjamin Jennifer Christopher Katherine Jonathan Elizabeth Kenneth \
                Deborah Alexander Samantha Joseph Kimberly",
        stems: "Ash Black Brook Cart Dun East Fair Green Hart Kings Lang Marsh North Oak Pem Red \
                Stan Thorn Wald West Brad Cran Els Farn Gar Hal Ing Ken Lock Mid Nor Pres Rad Shel",
        endings: "ton ford ley well wood field ham worth by er man stead gate more",
    },
    Tongue {
        given: "Jan Anna Pieter Maria Kees Johanna Willem Els Hendrik Anneke Maarten Sanne Bram \
                Femke Daan Lotte Sem Fleur Thijs Roos Ruben Iris Joost Marloes Gijs Tess Sander \
                Liesbeth Jeroen Marieke Koen Esther Wouter Ilse Niels Nienke Bas Froukje Stijn Evi",
        stems: "van_der_Berg van_Dijk Bos Veen Hout van_der_Lind Water Molen Kerk van_den_Broek \
                Heuvel Weid Hoek Zand Brand Meer Duin Horst Steeg Wal de_Vos Graaf Post Dek Kuip \
                Bak Kam Ruit Slot Vis Tim Wit Groot Hof",
        endings: "s stra sma huis hof man ker zen ink veld kamp dam horst beek",
    },
    Tongue {
        given: "Hans Petra Klaus Sabine Jürgen Monika Wolfgang Ursula Uwe Heike Bernd Renate \
                Stefan Claudia Andreas Gabriele Markus Birgit Jörg Katrin Sören Anja Lukas Leonie \
                Felix Hannah Jonas Mia Finn Emma Paul Lena Tobias Käthe Matthias Brigitte Günther \
                Silke Torsten Antje",
        stems: "Acker Berg Buch Eich Fels Gold Hain Kirch Lind Mühl Neu Ober Pfeil Reich Schön \
                Stein Tann Unter Wein Zimmer Alt Brand Dorn Erl Fürst Grün Hirsch Jung Kalten \
                Löwen Moser Nuss Rosen Sander",
        endings: "mann bach berg hoff er feld stein meier hauser müller thal brunn eck wald",
    },
    Tongue {
        given: "José Carmen Antonio Ana Manuel Isabel Francisco Lucía João Beatriz Carlos Inês \
                Miguel Sofía Rafael Marta Luís Paula Pedro Teresa Javier Pilar Diego Raquel \
                Fernando Elena Thiago Camila Rui Catarina Álvaro Noelia Sérgio Fátima Andrés Rocío",
        stems: "Fern Gonz Rodr Hern Mart Dom Sanch Ram Vel Alv Card Mor Cast Per Lop Gut Oliv \
                Barr Mend Sal Cor Ferr Pal Vill Med Nav Rom Sant Torr Vald Zam Est Bel Cab",
        endings: "ández ález íguez ínez eira eiro ado oso era illo edo ante ares ães",
    },
    Tongue {
        given: "Mehmet Ayşe Mustafa Fatma Ahmet Emine Ali Hatice Hüseyin Zeynep Emre Elif Murat \
                Merve Burak Esra Çağla Gökhan İpek Kerem Şule Tarık Yıldız Ömer Ümit Defne Onur \
                Selin Deniz Ceren",
        stems: "Yıl Öz Kara Demir Ak Gün Taş Çelik Koç Er Bulut Doğ Arsl Şah Kılıç Kurt Sar Yal \
                Tek Uç Ay Bal Can Dur Ek Gök İnc Kır Mut Ok Pol Soy Tun Ünal",
        endings: "türk maz kan kaya oğlu bay soy gil dar demir çı er taş gül",
    },
    Tongue {
        given: "Piotr Agnieszka Krzysztof Małgorzata Tomasz Katarzyna Paweł Joanna Marcin \
                Magdalena Łukasz Ewa Grzegorz Zofia Wojciech Jadwiga Jakub Oliwia Mateusz Hanna \
                Kacper Zuzanna Szymon Maja Ivan Olga Dmitri Irina Pavel Svetlana",
        stems: "Kowal Nowa Wiśnie Wójc Kamiń Lewand Zieliń Szymań Woźni Dąbr Kozł Jank Mazur \
                Krawcz Piotr Grabow Pawłow Michal Zając Król Wieczor Jabłoń Wróbl Stęp Malin \
                Jawor Dudz Sikor Baran Rutk Ostrow Tomasz Zalew Borow",
        endings: "ski czyk ewicz owicz ak ek iak ik owski iński ecki uk enko ow",
    },
    Tongue {
        given: "Lars Ingrid Erik Astrid Nils Kirsten Olaf Sigrid Anders Karin Magnus Birgitta \
                Søren Mette Bjørn Åsa Jens Hanne Mikkel Freja Rasmus Solveig Henrik Liv Gustav \
                Ebba Håkan Maja Leif Tuva",
        stems: "Ander Lind Berg Holm Ström Nord Dal Fors Hag Jens Karl Lar Mads Niel Ol Peder \
                Rasm Svend Thor Ulf Vik Ek Sjö Åk Öst Bäck Gran Hell Knud Lund Mol Näs Rud Sand",
        endings: "sson sen qvist berg gren ström lund vall gaard rup stad man mark dahl",
    },
];

/// What people of a tongue call themselves for short.
const SHORT: &[(&str, &str)] = &[
    ("James", "Jim"),
    ("Robert", "Bob"),
    ("John", "Jack"),
    ("Michael", "Mike"),
    ("William", "Bill"),
    ("Richard", "Dick"),
    ("Thomas", "Tom"),
    ("Charles", "Chuck"),
    ("Daniel", "Dan"),
    ("Matthew", "Matt"),
    ("Anthony", "Tony"),
    ("Steven", "Steve"),
    ("Andrew", "Andy"),
    ("Edward", "Ted"),
    ("Timothy", "Tim"),
    ("Rebecca", "Becky"),
    ("Gregory", "Greg"),
    ("Victoria", "Vicky"),
    ("Nicholas", "Nick"),
    ("Margaret", "Peggy"),
    ("Samuel", "Sam"),
    ("Patricia", "Pat"),
    ("Benjamin", "Ben"),
    ("Jennifer", "Jen"),
    ("Christopher", "Chris"),
    ("Katherine", "Kate"),
    ("Jonathan", "Jon"),
    ("Elizabeth", "Liz"),
    ("Kenneth", "Ken"),
    ("Deborah", "Deb"),
    ("Alexander", "Alex"),
    ("Samantha", "Sam"),
    ("Joseph", "Joe"),
    ("Pieter", "Piet"),
    ("Willem", "Wim"),
    ("Hendrik", "Henk"),
    ("Johanna", "Jo"),
    ("Liesbeth", "Els"),
    ("Francisco", "Paco"),
    ("José", "Pepe"),
    ("Matthias", "Matze"),
    ("Katarzyna", "Kasia"),
    ("Małgorzata", "Gosia"),
];

/// A given name and a family name, as they stand in a passport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The given name.
    pub given: String,
    /// The family name, with its particles.
    pub family: String,
}

impl Name {
    /// Given and family name.
    pub fn full(&self) -> String {
        format!("{} {}", self.given, self.family)
    }
}

/// The short form of a given name, if it has one.
pub fn short(given: &str) -> Option<&'static str> {
    SHORT.iter().find(|(long, _)| *long == given).map(|(_, short)| *short)
}

/// Where names of people and families are drawn from, the common ones more often.
#[derive(Debug, Clone)]
pub struct Names {
    tongues: Vec<(Vec<&'static str>, Ranks)>,
    families: Vec<(String, usize)>,
    family_ranks: Ranks,
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

impl Names {
    /// All names of all tongues: about 250 given names and 3,300 family names.
    pub fn new() -> Self {
        let mut families = Vec::new();
        for (tongue, parts) in TONGUES.iter().enumerate() {
            for stem in parts.stems.split_whitespace() {
                for ending in parts.endings.split_whitespace() {
                    families.push((format!("{}{ending}", stem.replace('_', " ")), tongue));
                }
            }
        }
        // Which names are common is the same for every seed, and no matter of the alphabet.
        Chance::seeded(0).shuffle(&mut families);
        let tongues = TONGUES.iter().map(|parts| {
            let given: Vec<&str> = parts.given.split_whitespace().collect();
            let ranks = Ranks::new(given.len(), 20);
            (given, ranks)
        });
        let family_ranks = Ranks::new(families.len(), 25);
        Self { tongues: tongues.collect(), families, family_ranks }
    }

    /// A family name; a few are two in one.
    pub fn family(&self, chance: &mut Chance) -> Family {
        let (first, tongue) = &self.families[self.family_ranks.draw(chance)];
        let name = if chance.happens(20) {
            format!("{first}-{}", self.families[self.family_ranks.draw(chance)].0)
        } else {
            first.clone()
        };
        Family { name, tongue: *tongue }
    }

    /// The name of somebody in a family; some were born into another one, and some have a given name
    /// from elsewhere.
    pub fn person(&self, chance: &mut Chance, family: &Family) -> Name {
        let tongue =
            if chance.happens(250) { chance.index(self.tongues.len()) } else { family.tongue };
        let (given, ranks) = &self.tongues[tongue];
        let given = given[ranks.draw(chance)].to_owned();
        let family =
            if chance.happens(150) { self.family(chance).name } else { family.name.clone() };
        Name { given, family }
    }
}

/// A family's name, and which tongue its people are named in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// The name.
    pub name: String,
    tongue: usize,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_hundreds_of_names_and_some_are_common() {
        let (names, mut chance) = (Names::new(), Chance::seeded(3));
        let drawn: Vec<Name> = (0..20_000)
            .map(|_| {
                let family = names.family(&mut chance);
                names.person(&mut chance, &family)
            })
            .collect();
        let given: BTreeSet<&str> = drawn.iter().map(|name| name.given.as_str()).collect();
        let family: BTreeSet<&str> = drawn.iter().map(|name| name.family.as_str()).collect();
        assert!(given.len() > 200 && family.len() > 2_000, "{} {}", given.len(), family.len());
        let most = &names.families[0].0;
        let n = drawn.iter().filter(|name| name.family == *most).count();
        assert!((60..500).contains(&n), "{most}: {n}");
    }

    #[test]
    fn every_short_form_is_of_a_name_that_people_have() {
        let all: BTreeSet<&str> =
            TONGUES.iter().flat_map(|tongue| tongue.given.split_whitespace()).collect();
        let missing: Vec<_> = SHORT.iter().filter(|(long, _)| !all.contains(long)).collect();
        assert_eq!(missing, Vec::<&(&str, &str)>::new());
    }
}
