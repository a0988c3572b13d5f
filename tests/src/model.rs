//! The naive model of identity: the function of `docs/identity.md` written down as plainly as
//! possible, over all facts at once, without components, summaries or indexes. The oracle.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::identifier::{Identifier, Namespace};
use cx_core::identity::hub::DirectView;
use cx_core::identity::name::Brevity;
use cx_core::identity::policy::{Contest, Limit, Names, Tier};
use cx_core::identity::{
    Assertions, BundleFacts, Caveat, Observation, ObservedClaim, PersonName, Policy, Rules,
    Subject, Verdict,
};
use cx_core::ids::{BundleId, ObservationId};
use cx_core::time::{Micros, Timestamp};

/// Observations that are one bundle.
struct Node {
    facts: BundleFacts,
    seen: BTreeSet<(Timestamp, ObservationId)>,
    bridges: BTreeSet<(Identifier, Timestamp)>,
}

type Cluster = BTreeSet<usize>;

/// Who is with whom among these observations: sets of one or more.
pub fn partition(
    observations: &[Observation],
    assertions: &Assertions,
    policy: &Policy,
) -> BTreeSet<Vec<ObservationId>> {
    let rules = Rules { policy, assertions };
    let nodes = nodes(observations, assertions);
    let (linking, hubs) = linking(&nodes, rules);
    let mut clusters: Vec<Cluster> = (0..nodes.len()).map(|node| Cluster::from([node])).collect();
    let mut elsewhere: BTreeMap<ObservationId, usize> = BTreeMap::new();
    let mut joining: Vec<_> = Vec::new();
    let mut probable: Vec<_> = Vec::new();
    for (id, said) in assertions.in_force() {
        match &said.verdict {
            Verdict::Probable(a, b, weight) => {
                probable.push((-i64::from(*weight), *a.min(b), *a.max(b)));
            }
            Verdict::Same(a, b) => joining.push((said.at, id, a.clone(), b.clone())),
            Verdict::Rekey(from, to) => {
                let (from, to) = (from.clone(), to.clone());
                joining.push((said.at, id, Subject::Identifier(from), Subject::Identifier(to)));
            }
            _ => {}
        }
    }
    joining.sort_by_key(|(at, id, ..)| (*at, *id));
    probable.sort_unstable();
    let mut world =
        World { nodes: &nodes, linking: &linking, hubs: &hubs, rules, asserted: Cluster::new() };
    for (at, _, a, b) in joining {
        // Whoever came to it last before that was said, or first after it.
        let holder = |side: &Subject| {
            let holders = world.holders(side);
            let before = holders.iter().filter(|n| nodes[**n].facts.first_seen <= at).max();
            before.or(holders.iter().min()).copied()
        };
        if let (Some(a), Some(b)) = (holder(&a), holder(&b)) {
            world.join(&mut clusters, a, b);
        }
    }
    world.asserted = clusters.iter().filter(|c| c.len() > 1).flatten().copied().collect();
    for value in world.values() {
        world.apply(&value, &mut clusters, &mut elsewhere);
    }
    for (_, a, b) in probable {
        let holder = |side| world.holders(&Subject::Observation(side)).first().copied();
        if let (Some(a), Some(b)) = (holder(a), holder(b))
            && !world.is_detached(&clusters, a, b)
            && !world.is_detached(&clusters, b, a)
        {
            world.join(&mut clusters, a, b);
        }
    }
    world.carry(&mut clusters, &elsewhere);
    world.outcome(&clusters, &elsewhere)
}

fn nodes(observations: &[Observation], assertions: &Assertions) -> Vec<Node> {
    let mut by: BTreeMap<BundleId, Vec<&Observation>> = BTreeMap::new();
    for observation in observations {
        let alone = assertions.names(observation.id);
        let id = if alone { observation.own_bundle() } else { observation.bundle() };
        by.entry(id).or_default().push(observation);
    }
    let node = |(id, members): (BundleId, Vec<&Observation>)| {
        let seen: BTreeSet<_> = members.iter().map(|o| (o.occurred_at, o.id)).collect();
        let first = members[0];
        let bridges =
            members.iter().flat_map(|o| o.bridges.iter().map(|b| (b.clone(), o.occurred_at)));
        Node {
            facts: BundleFacts {
                id,
                claims: first.claims.clone(),
                name: first.name.clone(),
                first_seen: seen.first().unwrap().0,
                anchor: (Timestamp::MIN, first.id),
                alone: assertions.names(first.id).then_some(first.id),
                sources: members.iter().map(|o| o.source.clone()).collect(),
            },
            bridges: bridges.collect(),
            seen,
        }
    };
    let mut nodes: Vec<Node> = by.into_iter().map(node).collect();
    // A record that somebody named stands where it would, had nobody.
    let unnamed = |facts: &BundleFacts| {
        let observation = Observation {
            id: facts.anchor.1,
            occurred_at: facts.first_seen,
            claims: facts.claims.clone(),
            name: facts.name.clone(),
            bridges: Vec::new(),
            source: String::new(),
        };
        if facts.claims.is_empty() { facts.id } else { observation.bundle() }
    };
    nodes.sort_by_key(|node| (node.facts.first_seen, unnamed(&node.facts), node.facts.id));
    nodes
}

/// The values by which each node may be linked, hubs taken out, and the hubs.
fn linking(nodes: &[Node], rules: Rules<'_>) -> (Vec<BTreeSet<Identifier>>, BTreeSet<Identifier>) {
    let all: Vec<BTreeSet<Identifier>> = nodes
        .iter()
        .map(|node| rules.linking(&node.facts).into_iter().map(|c| c.identifier.clone()).collect())
        .collect();
    let is_hub = |identifier: &Identifier| {
        let mut view = DirectView::default();
        let mut ids: BTreeSet<&Identifier> = BTreeSet::new();
        let mut strong: BTreeSet<&Identifier> = BTreeSet::new();
        let mut strong_of_named: BTreeSet<&Identifier> = BTreeSet::new();
        let tier = |value: &Identifier| rules.policy.of_identifier(value).tier;
        for (node, links) in nodes.iter().zip(&all).filter(|(_, links)| links.contains(identifier))
        {
            view.names.extend(node.facts.name.clone());
            ids.extend(links.iter().filter(|other| {
                matches!(rules.policy.of_identifier(other).limit, Limit::Hard(_))
                    && *other != identifier
            }));
            if tier(identifier) > Tier::Strong {
                let is_named = node.facts.name.is_some();
                let strong = if is_named { &mut strong_of_named } else { &mut strong };
                strong.extend(links.iter().filter(|other| tier(other) == Tier::Strong));
            }
        }
        let place = |id: &Identifier| (id.namespace().clone(), id.scope().to_owned());
        for id in ids {
            *view.exclusive_ids.entry(place(id)).or_insert(0) += 1;
        }
        for value in strong {
            *view.strong_values.entry(place(value)).or_insert(0) += 1;
        }
        for value in strong_of_named {
            *view.strong_of_named.entry(place(value)).or_insert(0) += 1;
        }
        rules.hub(identifier, &view).is_some()
    };
    let claimed = nodes.iter().flat_map(|node| &node.facts.claims).map(|claim| &claim.identifier);
    let hubs: BTreeSet<Identifier> = claimed.filter(|id| is_hub(id)).cloned().collect();
    let left = |node: &Node| {
        let links = rules.linking_but(&node.facts, &hubs).into_iter();
        links.map(|claim| claim.identifier.clone()).collect()
    };
    (nodes.iter().map(left).collect(), hubs)
}

struct World<'a> {
    nodes: &'a [Node],
    linking: &'a [BTreeSet<Identifier>],
    hubs: &'a BTreeSet<Identifier>,
    rules: Rules<'a>,
    /// What persons joined.
    asserted: Cluster,
}

impl World<'_> {
    fn holders(&self, side: &Subject) -> Vec<usize> {
        let all = 0..self.nodes.len();
        let id = match side {
            Subject::Observation(id) => {
                return all.filter(|node| self.nodes[*node].facts.alone == Some(*id)).collect();
            }
            Subject::Identifier(id) => id,
        };
        let linked: Vec<usize> =
            all.clone().filter(|node| self.linking[*node].contains(id)).collect();
        if !linked.is_empty() {
            return linked;
        }
        // Nobody is linked by it: whoever claims it for themselves, and was not taken from it.
        let claims = |node: &usize| {
            let facts = &self.nodes[*node].facts;
            let own = |c: &ObservedClaim| c.identifier == *id && c.caveat != Caveat::OnBehalfOf;
            facts.claims.iter().any(own) && self.rules.assertions.detached(facts, id).is_none()
        };
        all.filter(claims).collect()
    }

    /// Whether a record with one of the two was taken from the holder of what the other one has.
    fn is_detached(&self, clusters: &[Cluster], from: usize, holder: usize) -> bool {
        let of = |node: usize| clusters.iter().find(|c| c.contains(&node)).unwrap();
        of(from).iter().any(|node| {
            let facts = &self.nodes[*node].facts;
            facts.claims.iter().map(|claim| &claim.identifier).any(|value| {
                self.rules.assertions.detached(facts, value).is_some()
                    && of(holder).iter().any(|other| self.linking[*other].contains(value))
            })
        })
    }

    fn tier(&self, id: &Identifier) -> Tier {
        let policy = self.rules.policy.of_identifier(id);
        let mut carriers = (0..self.nodes.len()).filter(|n| self.linking[*n].contains(id));
        let proved = carriers.any(|n| {
            let claims = &self.nodes[n].facts.claims;
            claims.iter().any(|c| c.identifier == *id && c.assurance.is_proved())
        });
        match (proved, policy.tier_when_stated, policy.tier) {
            (false, Some(stated), _) => stated,
            (false, None, Tier::Strong) => Tier::Corroborating,
            (_, _, tier) => tier,
        }
    }

    fn values(&self) -> Vec<Identifier> {
        let all: BTreeSet<&Identifier> = self.linking.iter().flatten().collect();
        let mut values: Vec<_> = all
            .into_iter()
            .map(|id| {
                let carriers = (0..self.nodes.len()).filter(|n| self.linking[*n].contains(id));
                let first = carriers.map(|n| self.nodes[n].facts.first_seen).min().unwrap();
                (self.tier(id), first, id.clone())
            })
            .collect();
        values.sort();
        values.into_iter().map(|(_, _, id)| id).collect()
    }

    /// How little the fullest name of a cluster says; nameless ones come last.
    fn brevity(&self, cluster: &Cluster) -> (bool, Option<Brevity>) {
        let least = self.names(cluster).iter().map(PersonName::brevity).min();
        (least.is_none(), least)
    }

    /// What a cluster has proved of itself.
    fn own(&self, cluster: &Cluster) -> BTreeSet<Identifier> {
        let of = |node: &usize| {
            let proved = self.nodes[*node].facts.claims.iter().filter(|c| c.assurance.is_proved());
            let linking =
                proved.map(|c| &c.identifier).filter(|id| self.linking[*node].contains(id));
            let strong =
                linking.filter(|id| self.rules.policy.of_identifier(id).tier <= Tier::Strong);
            strong.cloned().collect::<Vec<_>>()
        };
        cluster.iter().flat_map(of).collect()
    }

    /// Each has proved something else than this value that the other has not, and no two whole names
    /// vouch for them: those that agree, and short forms that are the same.
    fn are_strangers(&self, a: &Cluster, b: &Cluster, value: &Identifier) -> bool {
        let (ours, theirs) = (self.own(a), self.own(b));
        let (left, right) = (self.names(a), self.names(b));
        let vouched = left.iter().any(|x| {
            right.iter().any(|y| {
                let least = x.brevity().max(y.brevity());
                least <= Brevity::Whole && x.agrees(y) || least <= Brevity::Nickname && x == y
            })
        });
        let has_own = |own: &BTreeSet<Identifier>| own.iter().any(|own| own != value);
        !vouched && has_own(&ours) && has_own(&theirs) && ours.is_disjoint(&theirs)
    }

    fn groups(
        &self,
        mut named: Vec<Cluster>,
        must_agree: bool,
        only_states: &dyn Fn(&Cluster) -> bool,
        value: &Identifier,
    ) -> Vec<Vec<Cluster>> {
        if must_agree {
            named.sort_by_key(|cluster| (self.brevity(cluster), *cluster.first().unwrap()));
        }
        let mut groups: Vec<Vec<Cluster>> = Vec::new();
        for cluster in named {
            let fits = |group: &Vec<Cluster>| {
                group.iter().all(|other| self.allowed(&cluster, other))
                    && (!must_agree || group.iter().all(|other| self.agree(&cluster, other)))
                    && !(must_agree
                        && only_states(&cluster)
                        && group.iter().any(|other| {
                            only_states(other) && self.are_strangers(&cluster, other, value)
                        }))
            };
            let fitting: Vec<usize> = (0..groups.len()).filter(|n| fits(&groups[*n])).collect();
            let is_whole = self.brevity(&cluster).1 == Some(Brevity::Full);
            match fitting.as_slice() {
                [] => groups.push(vec![cluster]),
                [only] => groups[*only].push(cluster),
                [first, ..] if is_whole || !must_agree => groups[*first].push(cluster),
                _ => {}
            }
        }
        groups
    }

    fn names(&self, cluster: &Cluster) -> BTreeSet<PersonName> {
        let all = || cluster.iter().filter_map(|n| self.nodes[*n].facts.name.clone());
        // What says less than another name of the same person tells nothing.
        let tells = |name: &PersonName| match name.brevity() {
            Brevity::Full | Brevity::Whole => 0,
            Brevity::Nickname => 1,
            Brevity::GivenOnly | Brevity::Initial => 2,
        };
        let most = all().map(|name| tells(&name)).min();
        all().filter(|name| Some(tells(name)) == most).collect()
    }

    fn exclusive(&self, cluster: &Cluster) -> BTreeMap<(Namespace, String), BTreeSet<String>> {
        let mut ids: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for id in cluster.iter().flat_map(|n| &self.linking[*n]) {
            if matches!(self.rules.policy.of_identifier(id).limit, Limit::Hard(_)) {
                let place = (id.namespace().clone(), id.scope().to_owned());
                ids.entry(place).or_default().insert(id.key().to_owned());
            }
        }
        ids
    }

    fn allowed(&self, a: &Cluster, b: &Cluster) -> bool {
        for (_, said) in self.rules.assertions.in_force() {
            let Verdict::Different(left, right) = &said.verdict else { continue };
            let (left, right) = (self.holders(left), self.holders(right));
            let split = |x: &Cluster, y: &Cluster| {
                left.iter().any(|l| x.contains(l) && right.iter().any(|r| y.contains(r) && r != l))
            };
            if split(a, b) || split(b, a) {
                return false;
            }
        }
        let (ours, theirs) = (self.exclusive(a), self.exclusive(b));
        ours.iter().all(|(place, ours)| {
            let Some(theirs) = theirs.get(place) else { return true };
            let Limit::Hard(limit) = self.rules.policy.of(&place.0).limit else { return true };
            ours == theirs || ours.union(theirs).count() <= usize::try_from(limit).unwrap()
        })
    }

    fn agree(&self, a: &Cluster, b: &Cluster) -> bool {
        let (a, b) = (self.names(a), self.names(b));
        let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        let agreeing = few.iter().filter(|x| many.iter().any(|y| y.agrees(x))).count();
        few.is_empty() || agreeing * 2 >= few.len()
    }

    fn join(&self, clusters: &mut Vec<Cluster>, a: usize, b: usize) {
        let find = |clusters: &[Cluster], n| clusters.iter().position(|c| c.contains(&n)).unwrap();
        let (one, other) = (find(clusters, a), find(clusters, b));
        if one != other && self.allowed(&clusters[one], &clusters[other]) {
            let gone = clusters[other].clone();
            clusters[one].extend(gone);
            clusters.remove(other);
        }
    }

    fn apply(
        &self,
        value: &Identifier,
        clusters: &mut Vec<Cluster>,
        elsewhere: &mut BTreeMap<ObservationId, usize>,
    ) {
        let policy = self.rules.policy.of_identifier(value);
        let trusted = self.rules.assertions.trusts(value);
        let carriers: Cluster =
            (0..self.nodes.len()).filter(|n| self.linking[*n].contains(value)).collect();
        let mut on: Vec<Cluster> =
            clusters.iter().filter(|c| !c.is_disjoint(&carriers)).cloned().collect();
        on.sort_by_key(|cluster| *cluster.first().unwrap());
        let must_agree = !trusted && policy.names == Names::MustAgree;
        let proves = |c: &Cluster| {
            c.intersection(&carriers).any(|n| {
                let claims = &self.nodes[*n].facts.claims;
                claims.iter().any(|c| c.identifier == *value && c.assurance.is_proved())
            })
        };
        let tier = self.tier(value);
        if must_agree && matches!(tier, Tier::Strong | Tier::Corroborating) {
            let provers: Vec<Cluster> = on.iter().filter(|c| proves(c)).cloned().collect();
            let is_stranger =
                |c: &Cluster, p: &Cluster| self.agree(c, p) && self.are_strangers(c, p, value);
            on.retain(|c| proves(c) || !provers.iter().any(|p| is_stranger(c, p)));
        }
        let only_states = |c: &Cluster| {
            must_agree
                && (tier == Tier::Device
                    || matches!(tier, Tier::Strong | Tier::Corroborating) && !proves(c))
        };
        let (named, anonymous): (Vec<Cluster>, Vec<Cluster>) = on.into_iter().partition(|c| {
            !self.names(c).is_empty()
                || !self.exclusive(c).is_empty()
                || only_states(c) && !self.own(c).is_empty()
        });
        let groups = self.groups(named, must_agree, &only_states, value);
        let head = |cluster: &Cluster| *cluster.first().unwrap();
        let seen = |cluster: &Cluster| -> BTreeSet<(Timestamp, ObservationId)> {
            cluster.intersection(&carriers).flat_map(|n| self.nodes[*n].seen.clone()).collect()
        };
        if policy.contest == Contest::Session && groups.len() > 1 {
            let mut proved: Vec<(Timestamp, usize)> = Vec::new();
            for node in groups.iter().flatten().flatten().filter(|n| carriers.contains(n)) {
                proved.extend(self.nodes[*node].seen.iter().map(|(at, _)| (*at, *node)));
            }
            proved.sort();
            let whole = |cluster: &&Cluster| cluster.is_disjoint(&self.asserted);
            let split = anonymous.iter().filter(whole).flatten();
            for node in split.filter(|n| self.linking[**n].len() == 1) {
                let of = |node: &usize| clusters.iter().find(|c| c.contains(node)).unwrap();
                for (at, observation) in
                    self.nodes[*node].seen.iter().filter(|_| carriers.contains(node))
                {
                    let nearest = proved
                        .iter()
                        .filter(|(_, owner)| self.allowed(of(node), of(owner)))
                        .min_by_key(|(t, owner)| (away(*t, *at), *t > *at, *owner));
                    if let Some((_, owner)) =
                        nearest.filter(|(t, _)| away(*t, *at) <= self.rules.policy.session.0)
                    {
                        elsewhere.insert(*observation, *owner);
                    }
                }
            }
            return;
        }
        let above = policy.hub_above.map_or(usize::MAX, |n| usize::try_from(n).unwrap());
        if !trusted && groups.len() > above {
            return;
        }
        for group in &groups {
            for other in &group[1..] {
                self.join(clusters, head(&group[0]), head(other));
            }
        }
        let anonymous_to = |clusters: &mut Vec<Cluster>, anonymous: &[Cluster], first: usize| {
            for cluster in anonymous {
                self.join(clusters, first, head(cluster));
            }
        };
        let is_stronger = |other: &Identifier| self.rules.policy.of_identifier(other).tier < tier;
        let by_it: Vec<Cluster> = anonymous
            .iter()
            .filter(|c| !c.iter().flat_map(|n| &self.linking[*n]).any(is_stronger))
            .cloned()
            .collect();
        match groups.len() {
            0 => anonymous_to(clusters, &anonymous, anonymous.first().map_or(0, head)),
            1 => anonymous_to(clusters, &anonymous, head(&groups[0][0])),
            _ => {
                let times: Vec<BTreeSet<Timestamp>> = groups
                    .iter()
                    .map(|group| group.iter().flat_map(seen).map(|(at, _)| at).collect())
                    .collect();
                let gap = match policy.contest {
                    Contest::Tenancy { gap } => Some(gap.0),
                    Contest::Dominant => None,
                    Contest::Refuse | Contest::Session => return,
                };
                if let Some(group) = dominant(&times, self.rules.policy.dominant_percent) {
                    return anonymous_to(clusters, &by_it, head(&groups[group][0]));
                }
                let Some(gap) = gap.filter(|gap| successive(&times, *gap)) else { return };
                for cluster in &by_it {
                    let owner = |at: Timestamp| {
                        let (away, _, group) = times
                            .iter()
                            .enumerate()
                            .map(|(group, t)| (outside(t, at), *t.first().unwrap(), group))
                            .min()
                            .unwrap();
                        (away < gap).then_some(group)
                    };
                    let owners: BTreeSet<Option<usize>> =
                        seen(cluster).into_iter().map(|(at, _)| owner(at)).collect();
                    match owners.first() {
                        Some(Some(group)) if owners.len() == 1 => {
                            self.join(clusters, head(&groups[*group][0]), head(cluster));
                        }
                        _ if !cluster.is_disjoint(&self.asserted) => {}
                        _ if cluster
                            .intersection(&carriers)
                            .any(|n| self.linking[*n].len() > 1) => {}
                        _ => {
                            let of =
                                |node: usize| clusters.iter().find(|c| c.contains(&node)).unwrap();
                            for (at, observation) in seen(cluster) {
                                if let Some(group) = owner(at)
                                    && self.allowed(cluster, of(head(&groups[group][0])))
                                {
                                    elsewhere.insert(observation, head(&groups[group][0]));
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Nodes that name nobody join whoever stands on the same bridges.
    fn carry(&self, clusters: &mut [Cluster], elsewhere: &BTreeMap<ObservationId, usize>) {
        // Of whom nothing is left, nobody is carried to.
        let given = |cluster: &Cluster| {
            let mut seen = cluster.iter().flat_map(|n| &self.nodes[*n].seen);
            seen.all(|(_, observation)| elsewhere.contains_key(observation))
        };
        let somebody = |n: &usize| self.nodes[*n].facts.is_somebody();
        let keys = |n: usize| -> BTreeSet<&Identifier> {
            self.nodes[n].bridges.iter().map(|(b, _)| b).collect()
        };
        let mut nobodies: Vec<Cluster> =
            (0..self.nodes.len()).filter(|n| !somebody(n)).map(|n| Cluster::from([n])).collect();
        // Groups grow until no two of them share a bridge.
        while let Some((a, b)) = (0..nobodies.len())
            .flat_map(|a| (a + 1..nobodies.len()).map(move |b| (a, b)))
            .find(|(a, b)| {
                nobodies[*a]
                    .iter()
                    .any(|x| nobodies[*b].iter().any(|y| !keys(*x).is_disjoint(&keys(*y))))
            })
        {
            let gone = nobodies.remove(b);
            nobodies[a].extend(gone);
        }
        for group in nobodies {
            let bridges: BTreeSet<&Identifier> = group.iter().flat_map(|n| keys(*n)).collect();
            let (mut trade, mut talk) = (BTreeSet::new(), BTreeSet::new());
            for (at, cluster) in clusters.iter().enumerate() {
                if self.is_loose(cluster) || given(cluster) {
                    continue;
                }
                for node in cluster.iter().filter(|n| somebody(n)) {
                    for (bridge, first) in
                        self.nodes[*node].bridges.iter().filter(|(b, _)| bridges.contains(b))
                    {
                        if *bridge.namespace() == Namespace::Conversation {
                            talk.insert((*first, self.nodes[*node].facts.id, at));
                        } else {
                            trade.insert(at);
                        }
                    }
                }
            }
            let owner = if trade.is_empty() {
                talk.first().map(|(.., at)| *at)
            } else {
                trade.first().copied().filter(|_| trade.len() == 1)
            };
            if let Some(owner) = owner {
                for node in &group {
                    if let Some(of) = clusters.iter().position(|c| c.contains(node)) {
                        clusters[of].remove(node);
                    }
                    clusters[owner].insert(*node);
                }
            }
        }
    }

    fn is_loose(&self, cluster: &Cluster) -> bool {
        let only = cluster.first().filter(|_| cluster.len() == 1);
        only.is_some_and(|n| {
            let facts = &self.nodes[*n].facts;
            self.linking[*n].is_empty() && !self.rules.stands_alone(facts, self.hubs)
        })
    }

    fn outcome(
        &self,
        clusters: &[Cluster],
        elsewhere: &BTreeMap<ObservationId, usize>,
    ) -> BTreeSet<Vec<ObservationId>> {
        let mut sets: BTreeMap<usize, Vec<ObservationId>> = BTreeMap::new();
        let mut alone: BTreeSet<Vec<ObservationId>> = BTreeSet::new();
        for (at, cluster) in clusters.iter().enumerate() {
            let loose = self.is_loose(cluster);
            for (_, observation) in cluster.iter().flat_map(|n| &self.nodes[*n].seen) {
                match elsewhere.get(observation) {
                    Some(node) => {
                        let owner = clusters.iter().position(|c| c.contains(node)).unwrap();
                        sets.entry(owner).or_default().push(*observation);
                    }
                    None if loose => drop(alone.insert(vec![*observation])),
                    None => sets.entry(at).or_default().push(*observation),
                }
            }
        }
        let sorted = sets.into_values().map(|mut set| {
            set.sort_unstable();
            set
        });
        sorted.chain(alone).collect()
    }
}

fn away(a: Timestamp, b: Timestamp) -> Micros {
    (a - b).max(b - a)
}

fn outside(times: &BTreeSet<Timestamp>, at: Timestamp) -> Micros {
    (*times.first().unwrap() - at).max(at - *times.last().unwrap()).max(Micros::ZERO)
}

fn dominant(times: &[BTreeSet<Timestamp>], percent: u32) -> Option<usize> {
    let days: Vec<BTreeSet<i64>> =
        times.iter().map(|t| t.iter().map(|at| at.utc_day()).collect()).collect();
    let all: BTreeSet<i64> = days.iter().flatten().copied().collect();
    let most = days.iter().map(BTreeSet::len).max()?;
    let holders: Vec<usize> = (0..days.len()).filter(|g| days[*g].len() == most).collect();
    let enough = most * 100 >= all.len() * usize::try_from(percent).unwrap();
    holders.first().copied().filter(|_| enough && holders.len() == 1)
}

fn successive(times: &[BTreeSet<Timestamp>], gap: Micros) -> bool {
    let mut spans: Vec<_> =
        times.iter().map(|t| (*t.first().unwrap(), *t.last().unwrap())).collect();
    spans.sort_unstable();
    spans.windows(2).all(|pair| pair[1].0 - pair[0].1 >= gap)
}
