//! Hubs: values that so many persons use that they link nobody. Decided by what is directly seen
//! with a value, before anything is linked.

use std::collections::{BTreeMap, BTreeSet};

use super::name::PersonName;
use super::policy::Policy;
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
}

/// What bundles say directly about one value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectView {
    /// The names seen with it, in the order of their keys; no more than the policy looks at.
    pub names: BTreeSet<PersonName>,
    /// How many distinct values of each exclusive namespace were seen with it.
    pub exclusive_ids: BTreeMap<(Namespace, String), u32>,
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
    let looked_at = usize::try_from(policy.names_looked_at).unwrap_or(usize::MAX);
    let groups = name_groups(&view.names, looked_at);
    (groups > above).then_some(HubReason::Names(groups))
}

/// How many persons these names can be at least: names in order, each to the first group with a
/// member it agrees with.
fn name_groups(names: &BTreeSet<PersonName>, looked_at: usize) -> u32 {
    let mut groups: Vec<Vec<&PersonName>> = Vec::new();
    for name in names.iter().take(looked_at) {
        match groups.iter_mut().find(|group| group.iter().any(|other| other.agrees(name))) {
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
    fn a_family_on_one_landline_is_no_hub_and_a_switchboard_is() {
        let family = ["Jan Bakker", "Eva Bakker", "Mia Bakker"];
        assert_eq!(is_hub(Namespace::Phone, "+31206241111", &family), None);
        let office = ["A Aal", "Bea Bos", "Cor Cox", "Dirk Dam", "Ed Ees", "Fons Fox", "Gijs Gans"];
        assert!(is_hub(Namespace::Phone, "+31206241111", &office).is_some());
    }
}
