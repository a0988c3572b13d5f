//! The policy: which identifiers link, how strongly, and what is done where they disagree.

mod document;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::identifier::{Assurance, Identifier, NORMALISER_VERSION, Namespace};
use crate::ids::{domain, hash16};
use crate::time::{Micros, Span};

pub use document::{Difference, PolicyError};

/// How strongly a namespace links. Stronger tiers link first, so weaker evidence gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// One system's own id of a person.
    Exclusive,
    /// A proved address, a loyalty card.
    Strong,
    /// A telephone number, an address that was only stated.
    Corroborating,
    /// A browser or a device.
    Device,
    /// Never links: a postal address, a network address.
    Never,
}

/// How many values of a namespace one customer may have, each scope by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Any number.
    None,
    /// More are reported.
    Report(u32),
    /// More are refused: a join that would give more does not take place.
    Hard(u32),
}

/// Whether names must agree before a value joins those who carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Names {
    /// Those whose names do not agree stay apart.
    MustAgree,
    /// The value says more than the name.
    Ignored,
}

/// What is done where several persons carry one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contest {
    /// Those without a name stay apart.
    Refuse,
    /// Those without a name go to the one who holds nearly all days of the value, if there is
    /// one.
    Dominant,
    /// As `Dominant`, and a value that nobody used for this long may have a new holder: then
    /// those without a name go by date.
    Tenancy {
        /// How long nobody used it.
        gap: Span,
    },
    /// Events without a person go to whoever was proved on the device nearest in time.
    Session,
}

/// What holds for one namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamespacePolicy {
    /// How strongly it links.
    pub tier: Tier,
    /// The tier of a value that nobody ever proved, where a policy lets such values link. Left out,
    /// it is that of proved ones, of strong ones [`Tier::Corroborating`].
    #[serde(default)]
    pub tier_when_stated: Option<Tier>,
    /// How many values one customer may have.
    pub limit: Limit,
    /// With more distinct persons than this seen directly with it, a value is a hub and links
    /// nobody; `None` for never.
    #[serde(default)]
    pub hub_above: Option<u32>,
    /// Whether names must agree.
    pub names: Names,
    /// What is done where several persons carry one value.
    pub contest: Contest,
    /// Claims less well proved than this do not link; they make a possible duplicate.
    pub min_assurance: Assurance,
    /// Claims at least this well proved link too, if the same event proves another identifier of
    /// tier `exclusive` or `strong`: somebody we know told us his number.
    #[serde(default)]
    pub min_assurance_beside_proved: Option<Assurance>,
}

/// What is asked more of the claims of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcePolicy {
    /// Claims of the source that are less well proved than this do not link. Where another source
    /// says the same under the same name, its word counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_assurance: Option<Assurance>,
    /// The same for single namespaces.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub namespaces: BTreeMap<String, Assurance>,
}

/// The whole policy: [`Policy::hash`] names it, [`Policy::read`] reads one from a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// By name of the namespace; a namespace that is not listed follows `other`.
    pub namespaces: BTreeMap<String, NamespacePolicy>,
    /// What holds for namespaces that are not listed.
    pub other: NamespacePolicy,
    /// The share of a value's days, in percent, from which one holder dominates it.
    pub dominant_percent: u32,
    /// What is asked more of the claims of single sources, by the source's name: `legacy` for all
    /// instances of a system, `zendesk:acme` for one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, SourcePolicy>,
    /// Values that link nobody, as `namespace:value`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub blocked: BTreeSet<String>,
    /// How near in time an event without a person must be to a proved one on a shared device.
    pub session: Span,
    /// How many distinct names of a value are looked at to decide whether it is a hub.
    pub names_looked_at: u32,
    /// Above this many bundles a component is reported as oversized.
    pub max_component: u32,
}

impl NamespacePolicy {
    /// How strongly a value links that was only ever stated, where the policy lets it link: a strong
    /// one is a corroborating one then, unless the policy says otherwise.
    pub fn stated_tier(&self) -> Tier {
        let tier = if self.tier == Tier::Strong { Tier::Corroborating } else { self.tier };
        self.tier_when_stated.unwrap_or(tier)
    }
}

impl Policy {
    /// What holds for a namespace.
    pub fn of(&self, namespace: &Namespace) -> &NamespacePolicy {
        self.namespaces.get(namespace.name()).unwrap_or(&self.other)
    }

    /// How well a claim must be proved at least, seen with these sources: what the most trusted of
    /// them asks. [`Assurance::Inferred`] where the policy says nothing of them.
    pub fn asked_of(&self, sources: &BTreeSet<String>, namespace: &Namespace) -> Assurance {
        if self.sources.is_empty() {
            return Assurance::Inferred;
        }
        let asked = |source: &String| {
            let system = source.split_once(':').map_or(source.as_str(), |(system, _)| system);
            let told = self.sources.get(source).or_else(|| self.sources.get(system));
            told.and_then(|told| {
                told.namespaces.get(namespace.name()).copied().or(told.min_assurance)
            })
            .unwrap_or(Assurance::Inferred)
        };
        sources.iter().map(asked).min().unwrap_or(Assurance::Inferred)
    }

    /// What holds for an identifier's namespace.
    pub fn of_identifier(&self, identifier: &Identifier) -> &NamespacePolicy {
        self.of(identifier.namespace())
    }

    /// The same policy without links that rest on what somebody only stated: a browser or a device is
    /// no word of anybody's, and links as before.
    #[must_use]
    pub fn of_proofs(mut self) -> Self {
        for of in self.namespaces.values_mut().chain([&mut self.other]) {
            if of.tier < Tier::Device {
                of.min_assurance = of.min_assurance.max(Assurance::ChannelProved);
                of.min_assurance_beside_proved =
                    of.min_assurance_beside_proved.map(|min| min.max(Assurance::ChannelProved));
            }
        }
        self
    }

    /// How many values of each namespace, by its name, a customer has at most before that is
    /// reported.
    pub fn reported(&self) -> BTreeMap<String, u32> {
        let reported = self.namespaces.iter().filter_map(|(name, of)| match of.limit {
            Limit::Report(limit) => Some((name.clone(), limit)),
            Limit::None | Limit::Hard(_) => None,
        });
        reported.collect()
    }

    /// The name of this policy together with the normalisers: customers derived under another
    /// one are derived anew.
    pub fn hash(&self) -> [u8; 16] {
        self.hash_under(NORMALISER_VERSION)
    }

    /// Whether this is the policy's name under an earlier version of the normalisers.
    pub fn was_named(&self, hash: &[u8]) -> bool {
        (1..NORMALISER_VERSION).any(|version| self.hash_under(version) == hash)
    }

    fn hash_under(&self, version: u32) -> [u8; 16] {
        let json = serde_json::to_vec(self).unwrap_or_default();
        hash16(domain!("cx policy 1"), &[&json, &version.to_le_bytes()])
    }
}

impl Default for Policy {
    fn default() -> Self {
        let exclusive = NamespacePolicy {
            tier: Tier::Exclusive,
            tier_when_stated: None,
            limit: Limit::Hard(1),
            // A constant that got into production is seen with many names; a person who married,
            // or whom colleagues misspell, with a few.
            hub_above: Some(5),
            names: Names::Ignored,
            contest: Contest::Refuse,
            min_assurance: Assurance::Authenticated,
            min_assurance_beside_proved: None,
        };
        // Another system's record of a person. A person may have several there: that system
        // does not know yet what cx is about to find out.
        let record = NamespacePolicy {
            limit: Limit::None,
            min_assurance: Assurance::ChannelProved,
            ..exclusive
        };
        let card = NamespacePolicy {
            tier: Tier::Strong,
            limit: Limit::Report(5),
            hub_above: Some(3),
            names: Names::MustAgree,
            contest: Contest::Dominant,
            min_assurance: Assurance::Inferred,
            ..exclusive
        };
        let email = NamespacePolicy {
            tier_when_stated: Some(Tier::Corroborating),
            limit: Limit::Report(10),
            min_assurance: Assurance::ChannelProved,
            ..card
        };
        let phone = NamespacePolicy {
            tier: Tier::Corroborating,
            tier_when_stated: None,
            hub_above: Some(6),
            contest: Contest::Tenancy { gap: Span(Micros::DAY.times(90)) },
            min_assurance_beside_proved: Some(Assurance::SelfStated),
            ..email
        };
        let device = NamespacePolicy {
            tier: Tier::Device,
            limit: Limit::None,
            hub_above: Some(3),
            names: Names::MustAgree,
            contest: Contest::Session,
            min_assurance: Assurance::Inferred,
            ..exclusive
        };
        let never =
            NamespacePolicy { tier: Tier::Never, limit: Limit::None, hub_above: None, ..exclusive };
        // A couple pays with one card, and an account speaks for a shop.
        let token = NamespacePolicy { hub_above: Some(3), names: Names::MustAgree, ..record };
        let social = NamespacePolicy { names: Names::MustAgree, ..record };
        let national = NamespacePolicy { limit: Limit::Hard(1), names: Names::Ignored, ..token };
        let login = NamespacePolicy { min_assurance: Assurance::ChannelProved, ..exclusive };
        let namespaces = [
            (Namespace::UserId, login),
            (Namespace::Crm, login),
            (Namespace::ExternalId, login),
            (Namespace::Helpdesk, record),
            (Namespace::Shop, record),
            (Namespace::WaBsuid, record),
            (Namespace::Social, social),
            (Namespace::PaymentToken, token),
            (Namespace::NationalId, national),
            (Namespace::Loyalty, card),
            (Namespace::Email, email),
            (Namespace::Phone, phone),
            (Namespace::WaId, phone),
            (Namespace::Sip, phone),
            (Namespace::Cookie, device),
            (Namespace::Device, device),
            (Namespace::Address, never),
            (Namespace::Ip, never),
            (Namespace::Order, never),
            (Namespace::Cart, never),
            (Namespace::Checkout, never),
            (Namespace::Conversation, never),
        ];
        Self {
            namespaces: namespaces
                .into_iter()
                .map(|(ns, policy)| (ns.name().to_owned(), policy))
                .collect(),
            other: record,
            sources: BTreeMap::new(),
            blocked: BTreeSet::new(),
            dominant_percent: 80,
            session: Span(Micros::MINUTE.times(30)),
            names_looked_at: 64,
            max_component: 5_000,
        }
    }
}
