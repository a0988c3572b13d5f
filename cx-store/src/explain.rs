//! Explanations: who is who, and why, read from the facts each time they are asked for.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::identifier::Who;
use cx_core::identity::Subject;
use cx_core::identity::explain::{ByModel, Candidate, Explainer, How, Why, WhyNot};
use cx_core::ids::{CustomerId, IdKey};
use rusqlite::{Connection, params};

use crate::corrections;
use crate::error::StoreError;
use crate::neighbourhood::{self, Asking, Loaded};
use crate::past::Past;
use crate::proposals::{self, Proposal};

/// What somebody means by an identifier or an id; `None` for an id that is no record's.
pub(crate) fn subject(connection: &Connection, who: &Who) -> Result<Option<Subject>, StoreError> {
    match who {
        Who::Identifier(identifier) => Ok(Some(Subject::Identifier(identifier.clone()))),
        Who::Customer(id) => {
            Ok(corrections::named_by(connection, *id)?
                .map(|(named, _)| Subject::Observation(named)))
        }
    }
}

pub(crate) fn why(
    connection: &Connection,
    asking: &Asking,
    a: &Who,
    b: &Who,
) -> Result<Option<Why>, StoreError> {
    let (Some(a), Some(b)) = (subject(connection, a)?, subject(connection, b)?) else {
        return Ok(None);
    };
    let loaded = neighbourhood::around(connection, asking, &[a.clone(), b.clone()])?;
    let explainer = explainer(&loaded, &asking.id_key);
    Ok(explainer.why(&a, &b))
}

pub(crate) fn why_not(
    connection: &Connection,
    asking: &Asking,
    a: &Who,
    b: &Who,
) -> Result<Option<WhyNot>, StoreError> {
    let (Some(a), Some(b)) = (subject(connection, a)?, subject(connection, b)?) else {
        return Ok(None);
    };
    let loaded = neighbourhood::around(connection, asking, &[a.clone(), b.clone()])?;
    let explainer = explainer(&loaded, &asking.id_key);
    let Some(why_not) = explainer.why_not(&a, &b) else { return Ok(None) };
    if asking.past == Past::today()
        && let (Some(one), Some(other)) = (&why_not.a, &why_not.b)
    {
        let said = proposals::of(connection, one.id)?.into_iter();
        if let Some(model) = said.filter(|proposal| proposal.b == other.id).map(by_model).next() {
            return Ok(Some(why_not.with_model(model)));
        }
    }
    Ok(Some(why_not))
}

pub(crate) fn how(
    connection: &Connection,
    asking: &Asking,
    who: &Who,
) -> Result<Vec<How>, StoreError> {
    let Some(subject) = subject(connection, who)? else { return Ok(Vec::new()) };
    let loaded = neighbourhood::around(connection, asking, std::slice::from_ref(&subject))?;
    let explainer = explainer(&loaded, &asking.id_key);
    Ok(explainer.holders(&subject).into_iter().filter_map(|of| explainer.how(of)).collect())
}

pub(crate) fn candidates(
    connection: &Connection,
    asking: &Asking,
    who: &Who,
) -> Result<Vec<Candidate>, StoreError> {
    let Some(subject) = subject(connection, who)? else { return Ok(Vec::new()) };
    let mut loaded = neighbourhood::around(connection, asking, std::slice::from_ref(&subject))?;
    let holder = {
        let holders = explainer(&loaded, &asking.id_key).holders(&subject);
        match (holders.len(), holders.first()) {
            (1, Some(holder)) => *holder,
            _ => return Ok(Vec::new()),
        }
    };
    let mut models = BTreeMap::new();
    if asking.past == Past::today() {
        let mut around = vec![subject];
        for proposal in proposals::of(connection, holder)?.into_iter().take(MOST_PROPOSED) {
            around.extend(self::subject(connection, &Who::Customer(proposal.b))?);
            models.entry(proposal.b).or_insert_with(|| by_model(proposal));
        }
        if around.len() > 1 {
            loaded = neighbourhood::around(connection, asking, &around)?;
        }
    }
    Ok(explainer(&loaded, &asking.id_key).candidates(holder, &models))
}

/// How many customers whom a model takes for this one are told of.
const MOST_PROPOSED: usize = 20;

fn by_model(proposal: Proposal) -> ByModel {
    let Proposal { relation, weight, model, at, waterfall, .. } = proposal;
    ByModel { model, at, relation, weight, sentences: waterfall.sentences }
}

/// Customers who share a value with somebody that does not link the two, or whom a model takes
/// for somebody else, after this one in the
/// order of ids, at most `limit` of them.
pub(crate) fn doubtful(
    connection: &Connection,
    after: Option<CustomerId>,
    limit: usize,
) -> Result<BTreeSet<CustomerId>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT u.cid FROM customer u WHERE u.cid > ?1 AND EXISTS(
           SELECT 1 FROM member m JOIN bundle_claim c ON c.bundle_id = m.bundle_id
             JOIN identifier i ON i.id = c.identifier_id AND i.hub = 0 AND i.linkable = 1
             JOIN bundle_claim o ON o.identifier_id = i.id
             JOIN member n ON n.bundle_id = o.bundle_id AND n.customer_id <> m.customer_id
           WHERE m.customer_id = u.id
         UNION ALL
         SELECT 1 FROM member m JOIN bundle b ON b.id = m.bundle_id
           JOIN proposal p ON p.relation = 'possible' AND (p.a = b.anchor_oid OR p.b = b.anchor_oid)
         WHERE m.customer_id = u.id)
         ORDER BY u.cid LIMIT ?2",
    )?;
    let after = after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = rows.query_map(params![after, limit], |row| row.get::<_, [u8; 16]>(0))?;
    Ok(rows.map(|row| row.map(CustomerId::from_bytes)).collect::<Result<_, _>>()?)
}

pub(crate) fn explainer<'a>(loaded: &'a Loaded, id_key: &'a IdKey) -> Explainer<'a> {
    Explainer::new(&loaded.neighbourhood, &loaded.sightings, loaded.rules(), id_key)
}
