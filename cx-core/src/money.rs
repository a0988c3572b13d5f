//! Money: decimal text in, integer minor units inside, always with its currency.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Why a value is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// Not a decimal number.
    #[error("{text:?} is not a decimal number like 19.95")]
    MalformedAmount {
        /// What was read.
        text: String,
    },
    /// Not three letters.
    #[error("{text:?} is not a currency code of three letters like EUR")]
    MalformedCurrency {
        /// What was read.
        text: String,
    },
    /// More decimals than the currency has.
    #[error("{amount} has more decimals than {currency} has")]
    TooPrecise {
        /// The amount.
        amount: Amount,
        /// The currency.
        currency: Currency,
    },
    /// More than 64 bits of minor units.
    #[error("the amount is too large")]
    TooLarge,
    /// Two currencies in one sum.
    #[error("{left} and {right} do not add up")]
    TwoCurrencies {
        /// The one.
        left: Currency,
        /// The other.
        right: Currency,
    },
}

/// A decimal number as a source wrote it, exactly, trailing zeros included: `"398.00"`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Amount(Decimal);

impl Amount {
    /// The sum, exactly.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] where the sum has more than 28 digits.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyError::TooLarge)
    }

    /// So many times the amount, exactly.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] where the product has more than 28 digits.
    pub fn times(self, n: u64) -> Result<Self, MoneyError> {
        self.0.checked_mul(Decimal::from(n)).map(Self).ok_or(MoneyError::TooLarge)
    }

    /// Whether the amount is nought, however many decimals it was written with.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Amount {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        Decimal::from_str_exact(text.trim())
            .map(Self)
            .map_err(|_| MoneyError::MalformedAmount { text: text.to_owned() })
    }
}

impl Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A currency code of ISO 4217, upper case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// How many decimals the currency has: 2 for EUR, 0 for JPY, 3 for KWD; 2 where ISO 4217
    /// does not know the code.
    pub fn exponent(&self) -> u32 {
        iso_currency::Currency::from_code(self.as_str())
            .and_then(iso_currency::Currency::exponent)
            .map_or(2, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        match text.trim().as_bytes() {
            [a, b, c] if [a, b, c].into_iter().all(u8::is_ascii_alphabetic) => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase(), c.to_ascii_uppercase()]))
            }
            _ => Err(MoneyError::MalformedCurrency { text: text.to_owned() }),
        }
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount in a currency, in integer minor units (cents for EUR, yen for JPY).
///
/// ```
/// # use cx_core::money::Money;
/// let price = Money::parse("199.00", "USD")?;
/// assert_eq!(price.minor(), 19_900);
/// assert_eq!(price.plus(price)?.to_string(), "398.00 USD");
/// # Ok::<(), cx_core::money::MoneyError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Money {
    currency: Currency,
    minor: i64,
}

impl Money {
    /// An amount in a currency.
    ///
    /// # Errors
    /// [`MoneyError::TooPrecise`] where digits would be lost, [`MoneyError::TooLarge`] where the
    /// minor units do not fit in 64 bits.
    pub fn new(amount: Amount, currency: Currency) -> Result<Self, MoneyError> {
        let mut scaled = amount.0;
        if scaled.normalize().scale() > currency.exponent() {
            return Err(MoneyError::TooPrecise { amount, currency });
        }
        scaled.rescale(currency.exponent());
        if scaled != amount.0 || scaled.scale() != currency.exponent() {
            return Err(MoneyError::TooLarge);
        }
        let minor = i64::try_from(scaled.mantissa()).map_err(|_| MoneyError::TooLarge)?;
        Ok(Self { currency, minor })
    }

    /// An amount and a currency, both as text.
    ///
    /// # Errors
    /// As [`Money::new`], and where either text is malformed.
    pub fn parse(amount: &str, currency: &str) -> Result<Self, MoneyError> {
        Self::new(amount.parse()?, currency.parse()?)
    }

    /// That many minor units.
    pub const fn from_minor(minor: i64, currency: Currency) -> Self {
        Self { currency, minor }
    }

    /// The amount in minor units.
    pub const fn minor(&self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The amount with as many decimals as the currency has.
    pub fn amount(&self) -> Amount {
        Amount(Decimal::new(self.minor, self.currency.exponent()))
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::TwoCurrencies`], or [`MoneyError::TooLarge`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::TwoCurrencies { left: self.currency, right: other.currency });
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_follow_the_currency() {
        assert_eq!(Money::parse("19.9", "eur").unwrap().minor(), 1_990);
        assert_eq!(Money::parse("1200", "JPY").unwrap().minor(), 1_200);
        assert_eq!(Money::parse("1.250", "KWD").unwrap().minor(), 1_250);
        assert!(matches!(Money::parse("1.255", "EUR"), Err(MoneyError::TooPrecise { .. })));
        assert_eq!(Money::parse("10.0000", "EUR").unwrap().minor(), 1_000);
    }

    #[test]
    fn two_currencies_do_not_add_up() {
        let (euro, dollar) = (Money::parse("1", "EUR").unwrap(), Money::parse("1", "USD").unwrap());
        assert!(matches!(euro.plus(dollar), Err(MoneyError::TwoCurrencies { .. })));
    }

    proptest! {
        #[test]
        fn minor_units_read_back(minor: i64) {
            let euro = Money::from_minor(minor, "EUR".parse().unwrap());
            prop_assert_eq!(Money::new(euro.amount(), euro.currency()), Ok(euro));
            prop_assert_eq!(Money::parse(&euro.amount().to_string(), "EUR"), Ok(euro));
        }

        #[test]
        fn no_text_breaks_the_reader(amount in "\\PC{0,40}", currency in "\\PC{0,5}") {
            drop(Money::parse(&amount, &currency));
        }
    }
}
