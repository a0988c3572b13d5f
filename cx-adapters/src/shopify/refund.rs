//! Refunds: money given back.

use cx_core::event::Kind;
use cx_core::event::commerce::{Line, Refund};
use cx_core::money::{Amount, Currency};

use super::{Outcome, amount, currency, line, order};
use crate::json::Object;
use crate::origin::{Origin, Part};
use crate::{Record, RecordError};

/// A refund. It names only its order; its amount is what its successful transactions gave back, in
/// the shop's currency where they tell it. What was given back in several currencies is several
/// refunds: no sum is of two currencies. What is only a test gives nothing back.
pub(super) fn records(origin: Origin<'_>, refund: &Object<'_>) -> Outcome {
    let id = refund.need("id")?;
    let order_id = refund.need("order_id")?;
    let at = refund.need_moment("created_at")?;
    let mut records: Vec<Record> = refund
        .misshapen(&[], &["transactions", "refund_line_items"])
        .into_iter()
        .map(Err)
        .collect();
    let transactions = refund.list("transactions");
    let is_test = |it: &Object<'_>| it.flag("test") == Some(true);
    if !transactions.is_empty() && transactions.iter().all(is_test) {
        let part = Part::of("refund", &id, "test");
        let event = origin.custom(part, "test_refund", refund.rest(&[]), at)?;
        let mut event = order::by_the_shop(origin, event, &order_id);
        event.rev = Some(rev(&transactions));
        records.push(Ok(event));
        return Ok(records);
    }
    let sent_back = refund.list("refund_line_items");
    let lines = sent_back.iter().filter_map(|back| {
        let of = back.object("line_item")?;
        Some(line(&of).map(|line| match back.number("quantity").map(u64::try_from) {
            Some(Ok(quantity)) => Line { quantity, ..line },
            _ => line,
        }))
    });
    let lines: Vec<Line> = lines.collect::<Result<_, RecordError>>()?;
    let given = given(&transactions)?;
    for (position, (currency, amount)) in given.into_iter().enumerate() {
        // The first one is the refund itself, whatever its currency is.
        let named = currency.map(|currency| currency.to_string()).filter(|_| position > 0);
        let data = Refund {
            order_id: order_id.clone(),
            refund_id: Some(match &named {
                Some(currency) => format!("{id}/{currency}"),
                None => id.clone(),
            }),
            currency: currency.filter(|_| !amount.is_zero()),
            amount,
            reason: refund.text("note"),
            lines: if position == 0 { lines.clone() } else { Vec::new() },
            ..Refund::default()
        };
        let part = Part::of("refund", &id, named.as_deref().unwrap_or_default());
        let mut event = origin.event(part, Kind::OrderRefunded(data), at)?;
        event.rev = Some(rev(&transactions));
        let mut event = order::by_the_shop(origin, event, &order_id);
        event.extra = refund.rest(&["id", "order_id", "created_at", "note"]);
        records.push(Ok(event));
    }
    Ok(records)
}

/// A refund that is still on its way comes again when more of it has succeeded, or failed.
fn rev(transactions: &[Object<'_>]) -> String {
    let is_settled = |it: &&Object<'_>| it.text("status").as_deref() != Some("pending");
    transactions.iter().filter(is_settled).count().to_string()
}

/// What was given back in each currency, in the order in which the refund names them; nothing of
/// none where no money moves. What is pending or failed counts as nothing.
fn given(transactions: &[Object<'_>]) -> Result<Vec<(Option<Currency>, Amount)>, RecordError> {
    let mut given: Vec<(Option<Currency>, Amount)> = Vec::new();
    for transaction in transactions {
        let is_refund = transaction.text("kind").is_none_or(|kind| kind == "refund");
        if !is_refund || transaction.flag("test") == Some(true) {
            continue;
        }
        let in_shop = transaction.path(&["amount_set", "shop_money"]);
        let told = match &in_shop {
            Some(money) => amount(money, "amount")?.zip(currency(money, "currency_code")?),
            None => None,
        };
        let (amount, currency) = match told {
            Some((amount, currency)) => (amount, Some(currency)),
            None => (
                amount(transaction, "amount")?.unwrap_or_default(),
                currency(transaction, "currency")?,
            ),
        };
        let is_done = transaction.text("status").as_deref() == Some("success");
        let amount = if is_done { amount } else { Amount::default() };
        match given.iter_mut().find(|(of, _)| *of == currency) {
            Some((_, sum)) if sum.is_zero() => *sum = amount,
            Some((_, sum)) => {
                *sum = sum
                    .plus(amount)
                    .map_err(|error| transaction.problem("amount", error.to_string()))?;
            }
            None => given.push((currency, amount)),
        }
    }
    if given.is_empty() {
        given.push((None, Amount::default()));
    }
    Ok(given)
}
