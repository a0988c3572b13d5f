//! Hubs: values that so many persons use that they link nobody. Decided by what is directly seen
//! with a value, before anything is linked.

use std::collections::{BTreeMap, BTreeSet};

use super::name::{Brevity, PersonName};
use super::policy::{Policy, Tier};
use crate::identifier::{Identifier, Namespace, email};

/// Why a value links nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HubReason {
    /// The address of a role: `info@`, `support@`.
    Role,
    /// A person said so.
    Blocked,
    /// More names were seen with it than one value has holders.
    Names(u32),
    /// More exclusive ids were seen with it than one value has holders.
    ExclusiveIds(u32),
    /// More addresses, or other strong values of one kind, were seen with it than one value has
    /// holders, on records without a name, or than one person has, on others.
    StrongValues(u32),
}

impl HubReason {
    /// How many persons were seen with the value, where that is why.
    pub const fn persons(self) -> Option<u32> {
        match self {
            Self::Names(n) | Self::ExclusiveIds(n) | Self::StrongValues(n) => Some(n),
            Self::Role | Self::Blocked => None,
        }
    }
}

/// What bundles say directly about one value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectView {
    /// The names seen with it, in the order of their keys; no more than the policy looks at.
    pub names: BTreeSet<PersonName>,
    /// How many distinct values of each exclusive namespace were seen with it.
    pub exclusive_ids: BTreeMap<(Namespace, String), u32>,
    /// How many distinct values of each strong namespace were seen with it on records that have no
    /// name; counted of values that are weaker themselves.
    pub strong_values: BTreeMap<(Namespace, String), u32>,
    /// The same on records that have a name.
    pub strong_of_named: BTreeMap<(Namespace, String), u32>,
}

/// So many strong values of one namespace one person may have beside a number or a device, on
/// records that have a name: with more, the name is not one person's, whatever it is.
pub const MOST_OF_ONE_NAME: u32 = 20;

/// Whether another value on a record says that it is one more person's who is seen with this one.
pub fn counts_persons(policy: &Policy, value: &Identifier, other: &Identifier) -> bool {
    policy.of_identifier(value).tier > Tier::Strong
        && policy.of_identifier(other).tier == Tier::Strong
}

/// Whether a value is a hub, by the policy's numbers alone. A person's word (`Block`, `Trust`)
/// goes before: see [`super::Assertions`].
pub fn hub(policy: &Policy, identifier: &Identifier, view: &DirectView) -> Option<HubReason> {
    if *identifier.namespace() == Namespace::Email && email::is_role(identifier.key()) {
        return Some(HubReason::Role);
    }
    let above = policy.of_identifier(identifier).hub_above?;
    let ids = view.exclusive_ids.values().copied().max().unwrap_or(0);
    if ids > above {
        return Some(HubReason::ExclusiveIds(ids));
    }
    let strong = view.strong_values.values().copied().max().unwrap_or(0);
    if strong > above {
        return Some(HubReason::StrongValues(strong));
    }
    let strong = view.strong_of_named.values().copied().max().unwrap_or(0);
    if strong > above.max(MOST_OF_ONE_NAME) {
        return Some(HubReason::StrongValues(strong));
    }
    let looked_at = usize::try_from(policy.names_looked_at).unwrap_or(usize::MAX);
    let groups = name_groups(&view.names, looked_at);
    (groups > above).then_some(HubReason::Names(groups))
}

/// How many persons these names can be at least: whole names first and short forms after them, each
/// to the first group with all of which it agrees. A short form that fits several says of none.
fn name_groups(names: &BTreeSet<PersonName>, looked_at: usize) -> u32 {
    let mut groups: Vec<Vec<&PersonName>> = Vec::new();
    let mut names: Vec<&PersonName> = names.iter().take(looked_at).collect();
    names.sort_by_key(|name| name.brevity());
    for name in names {
        let fits = |group: &&mut Vec<&PersonName>| group.iter().all(|other| other.agrees(name));
        let is_ambiguous =
            name.brevity() != Brevity::Full && groups.iter_mut().filter(fits).count() > 1;
        match groups.iter_mut().find(fits) {
            Some(_) if is_ambiguous => {}
            Some(group) => group.push(name),
            None => groups.push(vec![name]),
        }
    }
    u32::try_from(groups.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(names: &[&str]) -> DirectView {
        let names = names.iter().filter_map(|name| PersonName::parse(name)).collect();
        DirectView { names, ..DirectView::default() }
    }

    fn is_hub(namespace: Namespace, value: &str, names: &[&str]) -> Option<HubReason> {
        let identifier = Identifier::normalise(namespace, "", value, None).unwrap();
        hub(&Policy::default(), &identifier, &view(names))
    }

    #[test]
    fn a_role_mailbox_is_a_hub_from_the_first_mail() {
        assert_eq!(is_hub(Namespace::Email, "info@bakkerij.example", &[]), Some(HubReason::Role));
        assert_eq!(is_hub(Namespace::Email, "jan@bakkerij.example", &["Jan Bakker"]), None);
    }

    #[test]
    fn a_mailbox_of_many_names_is_a_hub_and_spellings_of_one_name_are_one() {
        let one = ["Jan Bakker", "J. Bakker", "Jan Baker", "jan bakker"];
        assert_eq!(is_hub(Namespace::Email, "x@bakkerij.example", &one), None);
        let four = ["Jan Bakker", "Eva Smit", "Piet Prins", "Anna Vos"];
        assert_eq!(
            is_hub(Namespace::Email, "x@bakkerij.example", &four),
            Some(HubReason::Names(4))
        );
    }

    #[test]
    fn an_initial_makes_no_one_person_of_a_family_and_is_no_further_one() {
        let family = ["J. Bakker", "Jan Bakker", "Johanna Bakker", "Joep Bakker", "Jaap Bakker"];
        let found = is_hub(Namespace::Email, "x@bakkerij.example", &family);
        assert_eq!(found, Some(HubReason::Names(4)));
    }

    #[test]
    fn a_number_beside_more_addresses_than_it_has_holders_is_a_hub() {
        let number = Identifier::normalise(Namespace::Phone, "", "+31206241111", None).unwrap();
        let beside = |n| DirectView {
            strong_values: BTreeMap::from([((Namespace::Email, String::new()), n)]),
            ..DirectView::default()
        };
        let policy = Policy::default();
        assert_eq!(hub(&policy, &number, &beside(6)), None);
        assert_eq!(hub(&policy, &number, &beside(7)), Some(HubReason::StrongValues(7)));
    }

    #[test]
    fn a_family_on_one_landline_is_no_hub_and_a_switchboard_is() {
        let family = ["Jan Bakker", "Eva Bakker", "Mia Bakker"];
        assert_eq!(is_hub(Namespace::Phone, "+31206241111", &family), None);
        let office = ["A Aal", "Bea Bos", "Cor Cox", "Dirk Dam", "Ed Ees", "Fons Fox", "Gijs Gans"];
        assert!(is_hub(Namespace::Phone, "+31206241111", &office).is_some());
    }
}
