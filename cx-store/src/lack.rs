//! What an identifier lacks to link anybody.

use cx_core::identifier::{Identifier, Namespace};

/// Why an identifier, as it was typed, can be no customer's.
///
/// ```
/// # use cx_core::identifier::Who;
/// let lack = match Who::parse("0612345678", None)? {
///     Who::Identifier(number) => cx_store::Lack::of(&number),
///     Who::Customer(_) => None,
/// };
/// assert_eq!(lack, Some(cx_store::Lack::CountryCode));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lack {
    /// A number that is none without its country code.
    #[error("no whole number; write its country code (+31 …), or name its region")]
    CountryCode,
    /// A whole number that nobody has.
    #[error("a service number, or none that anybody has")]
    Holder,
    /// A value that means something in one system only, and no system.
    #[error("without a scope; such an identifier is written {namespace}:SCOPE:VALUE")]
    Scope {
        /// Its namespace.
        namespace: Namespace,
    },
}

impl Lack {
    /// What this identifier lacks; `None` where an event may carry it.
    pub fn of(identifier: &Identifier) -> Option<Self> {
        let namespace = identifier.namespace();
        if *namespace == Namespace::Phone && !identifier.is_linkable() {
            let is_whole = identifier.key().starts_with('+');
            return Some(if is_whole { Self::Holder } else { Self::CountryCode });
        }
        let is_of_cx = !matches!(namespace, Namespace::Other(_));
        let lacks_scope = is_of_cx && namespace.is_scoped() && identifier.scope().is_empty();
        lacks_scope.then(|| Self::Scope { namespace: namespace.clone() })
    }
}

#[cfg(test)]
mod tests {
    use cx_core::identifier::Who;

    use super::*;

    #[test]
    fn what_can_be_no_customers_is_told() {
        let number = "no whole number; write its country code (+31 …), or name its region";
        let scope = "without a scope; such an identifier is written crm:SCOPE:VALUE";
        for (typed, lacks) in [
            ("0612345678", Some(number)),
            ("+31612345678", None),
            ("jan@example.nl", None),
            ("crm:12", Some(scope)),
            ("crm:acme:12", None),
            ("my_own:12", None),
        ] {
            let Ok(Who::Identifier(identifier)) = Who::parse(typed, None) else {
                panic!("{typed} is an identifier");
            };
            let told = Lack::of(&identifier).map(|lack| lack.to_string());
            assert_eq!(told.as_deref(), lacks, "{typed}");
        }
    }
}
