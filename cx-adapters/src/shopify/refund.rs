//! Refunds: money given back.

use cx_core::event::Kind;
use cx_core::event::commerce::Refund;
use cx_core::money::Amount;

use super::{Outcome, amount, currency, line, order};
use crate::RecordError;
use crate::json::Object;
use crate::origin::{Origin, Part};

/// A refund. It names only its order; its amount is what its successful transactions gave back.
pub(super) fn records(origin: Origin<'_>, refund: &Object<'_>) -> Outcome {
    let id = refund.need("id")?;
    let order_id = refund.need("order_id")?;
    let at = refund.need_moment("created_at")?;
    let transactions = refund.list("transactions");
    let given: Vec<&Object<'_>> = transactions
        .iter()
        .filter(|it| it.text("status").as_deref() == Some("success"))
        .filter(|it| it.text("kind").is_none_or(|kind| kind == "refund"))
        .collect();
    let sent_back = refund.list("refund_line_items");
    let lines = sent_back.iter().filter_map(|back| {
        let of = back.object("line_item")?;
        Some(line(&of).map(|line| match back.number("quantity").map(u64::try_from) {
            Some(Ok(quantity)) => cx_core::event::commerce::Line { quantity, ..line },
            _ => line,
        }))
    });
    let data = Refund {
        order_id: order_id.clone(),
        refund_id: Some(id.clone()),
        currency: match given.first() {
            Some(transaction) => currency(transaction, "currency")?,
            None => None,
        },
        amount: sum(&given)?,
        reason: refund.text("note"),
        lines: lines.collect::<Result<_, RecordError>>()?,
        ..Refund::default()
    };
    let mut event = origin.event(Part::whole("refund", &id), Kind::OrderRefunded(data), at)?;
    // A refund that is still on its way comes again when more of it has succeeded, or failed.
    let is_settled = |it: &&Object<'_>| it.text("status").as_deref() != Some("pending");
    event.rev = Some(transactions.iter().filter(is_settled).count().to_string());
    let mut event = order::by_the_shop(origin, event, &order_id);
    event.extra = refund.rest(&["id", "order_id", "created_at", "note"]);
    Ok(vec![Ok(event)])
}

fn sum(transactions: &[&Object<'_>]) -> Result<Amount, RecordError> {
    let mut sum = Amount::default();
    for transaction in transactions {
        if let Some(amount) = amount(transaction, "amount")? {
            sum = sum
                .plus(amount)
                .map_err(|error| transaction.problem("amount", error.to_string()))?;
        }
    }
    Ok(sum)
}
