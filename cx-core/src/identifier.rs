//! Identifiers: what customers are recognised by, and the claims that carry them.
//!
//! An [`Identifier`] is a namespace, a scope and a *key*: the normalised form in which two
//! spellings of one value meet. A [`Claim`] says that an event is about the holder of an
//! identifier, in which role, and how well that is proved. The value as it was written is kept
//! beside the key, so that a better normaliser can read it again.

pub mod email;
pub mod phone;

pub(crate) use phone::Start;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::text;

/// The version of what is in no policy and decides who is who: normalisers, names, the rules
/// themselves. It is part of every policy's hash: a store that was written under an earlier version
/// files its records and derives its customers anew when it is opened.
pub const NORMALISER_VERSION: u32 = 4;

macro_rules! namespaces {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $scoped:literal;)*) => {
        /// What kind of identifier.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Namespace {
            $($(#[$doc])* $variant,)*
            /// A namespace of another name.
            Other(String),
        }

        impl Namespace {
            /// Every namespace that has a name of its own.
            pub const NAMED: &'static [Self] = &[$(Self::$variant),*];

            /// The name as it stands in JSON and SQL.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(name) => name,
                }
            }

            /// Whether a value means something only together with a scope: an id `42` of one
            /// helpdesk account is not the `42` of another.
            pub fn is_scoped(&self) -> bool {
                match self {
                    $(Self::$variant => $scoped,)*
                    Self::Other(_) => true,
                }
            }

            /// Whether a text can be asked for as the name of a namespace, one of your own or not:
            /// a word, without spaces and colons.
            pub fn is_name(name: &str) -> bool {
                name.starts_with(|c: char| c.is_alphanumeric() || c == '_')
                    && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':')
            }

            /// The namespace of that name.
            pub fn from_name(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)*
                    _ => Self::Other(name.to_owned()),
                }
            }
        }
    };
}

namespaces! {
    /// An e-mail address.
    Email = "email", false;
    /// A telephone number in the form of E.164.
    Phone = "phone", false;
    /// A WhatsApp number: digits without a plus.
    WaId = "wa_id", false;
    /// A business-scoped WhatsApp user id; the scope is the business portfolio.
    WaBsuid = "wa_bsuid", true;
    /// A browser's cookie or anonymous id; the scope is the site or tracker, if it matters.
    Cookie = "cookie", false;
    /// An advertising or device id.
    Device = "device", false;
    /// The business's own user id (login); the scope is the business's own system.
    UserId = "user_id", true;
    /// An id in a system of the business, such as a customer number; the scope is the system.
    ExternalId = "external_id", true;
    /// A contact in a CRM; the scope is system and account.
    Crm = "crm", true;
    /// A contact in a helpdesk; the scope is system and account: `zendesk:acme`.
    Helpdesk = "helpdesk", true;
    /// A customer record of a shop; the scope is system and shop: `shopify:acme`.
    Shop = "shop", true;
    /// An account on a social network or messenger; the scope is the network: `x`.
    Social = "social", true;
    /// A loyalty card.
    Loyalty = "loyalty", true;
    /// A token that stands for a means of payment.
    PaymentToken = "payment_token", true;
    /// A number given by a state; the scope is the state.
    NationalId = "national_id", true;
    /// A SIP or other call address that is no telephone number.
    Sip = "sip", false;
    /// An order: a bridge. It carries an event to the person who placed the order and never
    /// makes one person of two.
    Order = "order", true;
    /// A cart: a bridge.
    Cart = "cart", true;
    /// A checkout: a bridge.
    Checkout = "checkout", true;
    /// A conversation at its source: a bridge.
    Conversation = "conversation", false;
    /// A postal address. Never links.
    Address = "address", false;
    /// A network address. Never links.
    Ip = "ip", false;
}

impl Namespace {
    /// Whether identifiers of this kind carry events to a person without ever joining persons.
    pub const fn is_bridge(&self) -> bool {
        matches!(self, Self::Order | Self::Cart | Self::Checkout | Self::Conversation)
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Namespace {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Namespace {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self::from_name(&String::deserialize(from)?))
    }
}

/// In which role a claim names somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person whom the event is about.
    Subject,
    /// The sender or caller.
    From,
    /// The one written to or called.
    To,
    /// Somebody who got a copy: takes part, and is not whom the event is about.
    Cc,
    /// The person who asked, in a conversation where another one speaks.
    Requester,
}

impl Role {
    /// The name as it stands in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::From => "from",
            Self::To => "to",
            Self::Cc => "cc",
            Self::Requester => "requester",
        }
    }
}

/// How well a claim is proved, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Assurance {
    /// Guessed from something else.
    Inferred,
    /// Typed by somebody, unproved: a form, a pre-chat question, a mail without DMARC.
    SelfStated,
    /// The channel vouches for it: a caller's number, a sender that passed DMARC, a WhatsApp id.
    ChannelProved,
    /// A login or a signature of the business's own system vouches for it.
    Authenticated,
    /// A person of the business has checked it.
    StaffVerified,
}

impl Assurance {
    /// The name as it stands in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inferred => "inferred",
            Self::SelfStated => "self_stated",
            Self::ChannelProved => "channel_proved",
            Self::Authenticated => "authenticated",
            Self::StaffVerified => "staff_verified",
        }
    }

    /// Whether more than somebody's word stands behind it.
    pub fn is_proved(self) -> bool {
        self >= Self::ChannelProved
    }
}

/// Why a value is no identifier. The value itself is not in the message: messages reach logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentifierError {
    /// Stands where a value is missing, or is withheld.
    #[error("a placeholder or a withheld value")]
    Placeholder,
    /// An address that no single person has: `noreply@`, `mailer-daemon@`.
    #[error("an address that nobody reads")]
    Nobody,
    /// Longer than any identifier is.
    #[error("longer than {limit} characters", limit = Identifier::MAX_LENGTH)]
    TooLong,
}

/// A namespace, a scope and a key: two claims with equal identifiers mean the same holder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier {
    namespace: Namespace,
    scope: String,
    key: String,
    linkable: Linkable,
}

/// Whether a key may link at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Linkable {
    /// It names a holder.
    Yes,
    /// It is kept as text and links nobody: not a telephone number, a short code, a broken
    /// address.
    No,
}

impl Identifier {
    /// The longest value, in characters, that is taken for an identifier.
    pub const MAX_LENGTH: usize = 512;

    /// The identifier that a value names. Telephone numbers without a country code are read as
    /// numbers of `region` (an upper-case ISO 3166 code); without a region they do not link.
    ///
    /// # Errors
    /// Where the value is a placeholder, withheld, or nobody's.
    ///
    /// ```
    /// # use cx_core::identifier::{Identifier, Namespace};
    /// let typed = Identifier::normalise(Namespace::Phone, "", "06 1234 5678", Some("NL"))?;
    /// assert_eq!(typed.key(), "+31612345678");
    /// assert_eq!(typed.to_string(), "phone:+31612345678");
    /// # Ok::<(), cx_core::identifier::IdentifierError>(())
    /// ```
    pub fn normalise(
        namespace: Namespace,
        scope: &str,
        raw: &str,
        region: Option<&str>,
    ) -> Result<Self, IdentifierError> {
        // `Other("email")` is the same in every text, and so it is here.
        let namespace = match namespace {
            Namespace::Other(name) => Namespace::from_name(&name),
            named => named,
        };
        if raw.chars().count() > Self::MAX_LENGTH {
            return Err(IdentifierError::TooLong);
        }
        if text::is_placeholder(raw) {
            return Err(IdentifierError::Placeholder);
        }
        let (key, linkable) = match &namespace {
            Namespace::Email => email::normalise(raw)?,
            Namespace::Phone => phone::normalise(raw, region)?,
            Namespace::WaId => phone::normalise_wa_id(raw)?,
            Namespace::Address => (text::folded(raw), true),
            Namespace::Social => (text::folded(raw).trim_start_matches('@').to_owned(), true),
            Namespace::WaBsuid
            | Namespace::Cookie
            | Namespace::Device
            | Namespace::UserId
            | Namespace::ExternalId
            | Namespace::Crm
            | Namespace::Helpdesk
            | Namespace::Shop
            | Namespace::Loyalty
            | Namespace::PaymentToken
            | Namespace::NationalId
            | Namespace::Sip
            | Namespace::Order
            | Namespace::Cart
            | Namespace::Checkout
            | Namespace::Conversation
            | Namespace::Ip
            | Namespace::Other(_) => (opaque(raw), true),
        };
        if key.is_empty() || text::is_placeholder(&key) {
            return Err(IdentifierError::Placeholder);
        }
        let linkable = if linkable { Linkable::Yes } else { Linkable::No };
        Ok(Self { namespace, scope: opaque(scope), key, linkable })
    }

    /// What kind of identifier.
    pub const fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Within what the key means something; empty where it means the same everywhere.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The normalised value.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether the key may link at all. A number that cannot be read as a telephone number, a
    /// short code or a broken address keeps its text and links nobody.
    pub const fn is_linkable(&self) -> bool {
        matches!(self.linkable, Linkable::Yes)
    }

    /// Whether a mail address or the name of an account mixes letters of several scripts that look
    /// alike: it may imitate another one. It stays an identifier of its own.
    ///
    /// ```
    /// # use cx_core::identifier::{Identifier, Namespace};
    /// let address = |raw| Identifier::normalise(Namespace::Email, "", raw, None);
    /// assert!(address("j\u{430}n@example.nl")?.mixes_scripts());
    /// assert!(address("jan@ex\u{430}mple.nl")?.mixes_scripts());
    /// assert!(!address("jan@example.nl")?.mixes_scripts());
    /// # Ok::<(), cx_core::identifier::IdentifierError>(())
    /// ```
    pub fn mixes_scripts(&self) -> bool {
        match self.namespace() {
            Namespace::Email => {
                let (local, domain) = self.key().rsplit_once('@').unwrap_or((self.key(), ""));
                let (domain, _) = idna::domain_to_unicode(domain);
                text::mixes_scripts(local) || text::mixes_scripts(&domain)
            }
            Namespace::Social => text::mixes_scripts(self.key()),
            _ => false,
        }
    }

    /// Rebuilds an identifier from the parts that were stored.
    pub const fn from_parts(
        namespace: Namespace,
        scope: String,
        key: String,
        linkable: Linkable,
    ) -> Self {
        Self { namespace, scope, key, linkable }
    }
}

/// Ids of programs are compared as they stand: only invisible characters and outer space go.
fn opaque(raw: &str) -> String {
    raw.chars()
        .filter(|c| !c.is_control() && *c != '\u{feff}' && *c != '\u{200b}')
        .collect::<String>()
        .trim()
        .to_owned()
}

impl fmt::Display for Identifier {
    /// `email:jan@example.nl`, `helpdesk:zendesk:acme:123`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scope.is_empty() {
            write!(f, "{}:{}", self.namespace, self.key)
        } else {
            write!(f, "{}:{}:{}", self.namespace, self.scope, self.key)
        }
    }
}

/// An event's statement that it is about the holder of an identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Claim {
    /// Events of one person that are read one after the other have it together.
    identifier: Arc<Identifier>,
    raw: String,
    region: Option<String>,
    /// In which role the holder takes part.
    pub role: Role,
    /// How well it is proved.
    pub assurance: Assurance,
    /// Whether the source says that several people use the value.
    pub shared: bool,
    /// Whether somebody else acted for the holder, as when staff logs in as a customer. Such a
    /// claim never links.
    pub on_behalf_of: bool,
}

impl Claim {
    /// A claim of an unscoped identifier.
    ///
    /// # Errors
    /// Where the value is no identifier: see [`Identifier::normalise`].
    pub fn new(
        namespace: Namespace,
        raw: &str,
        role: Role,
        assurance: Assurance,
    ) -> Result<Self, IdentifierError> {
        Self::scoped(namespace, "", raw, role, assurance)
    }

    /// A claim of an identifier within a scope.
    ///
    /// # Errors
    /// Where the value is no identifier: see [`Identifier::normalise`].
    pub fn scoped(
        namespace: Namespace,
        scope: &str,
        raw: &str,
        role: Role,
        assurance: Assurance,
    ) -> Result<Self, IdentifierError> {
        let identifier = Identifier::normalise(namespace, scope, raw, None)?;
        let raw = raw.to_owned();
        Ok(Self {
            identifier: Arc::new(identifier),
            raw,
            region: None,
            role,
            assurance,
            shared: false,
            on_behalf_of: false,
        })
    }

    /// A claim of a telephone number that is written as in `region`, if it has no country code.
    ///
    /// # Errors
    /// Where the value is no identifier: see [`Identifier::normalise`].
    pub fn phone(
        raw: &str,
        region: Option<&str>,
        role: Role,
        assurance: Assurance,
    ) -> Result<Self, IdentifierError> {
        let identifier = Arc::new(Identifier::normalise(Namespace::Phone, "", raw, region)?);
        let region = region.map(str::to_owned);
        let raw = raw.to_owned();
        Ok(Self { identifier, raw, region, role, assurance, shared: false, on_behalf_of: false })
    }

    /// The same claim of a value that the source knows to be shared.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// The identifier that is claimed.
    pub fn identifier(&self) -> &Identifier {
        &self.identifier
    }

    /// The value as the source wrote it.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The region in which a number without a country code was read.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
}

/// The JSON of a claim: what was written, never what was made of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimJson<'a> {
    #[serde(default = "channel_proved")]
    assurance: Assurance,
    ns: Namespace,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    on_behalf_of: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<Cow<'a, str>>,
    #[serde(default = "subject")]
    role: Role,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    scope: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    shared: bool,
    value: Cow<'a, str>,
}

const fn subject() -> Role {
    Role::Subject
}

/// Whoever writes events in cx's own format speaks for a system of record.
const fn channel_proved() -> Assurance {
    Assurance::ChannelProved
}

impl Serialize for Claim {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        ClaimJson {
            assurance: self.assurance,
            ns: self.identifier.namespace.clone(),
            on_behalf_of: self.on_behalf_of,
            region: self.region.as_deref().map(Cow::Borrowed),
            role: self.role,
            scope: Cow::Borrowed(&self.identifier.scope),
            shared: self.shared,
            value: Cow::Borrowed(&self.raw),
        }
        .serialize(to)
    }
}

impl ClaimJson<'_> {
    fn normalised(&self) -> Result<Arc<Identifier>, IdentifierError> {
        let region = self.region.as_deref();
        Identifier::normalise(self.ns.clone(), &self.scope, &self.value, region).map(Arc::new)
    }

    fn claim(self, identifier: Arc<Identifier>) -> Claim {
        Claim {
            identifier,
            raw: self.value.into_owned(),
            region: self.region.map(Cow::into_owned),
            role: self.role,
            assurance: self.assurance,
            shared: self.shared,
            on_behalf_of: self.on_behalf_of,
        }
    }
}

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = ClaimJson::deserialize(from)?;
        let identifier = json.normalised().map_err(serde::de::Error::custom)?;
        Ok(json.claim(identifier))
    }
}

/// The identifiers that were made of the last values that were read. One person's events name
/// the same few values again and again, and normalising a number costs more than reading it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recent {
    known: Vec<(String, Option<String>, Arc<Identifier>)>,
    next: usize,
}

impl Recent {
    /// So many values are remembered; all of them are looked at for each claim.
    const MOST: usize = 16;

    /// Reads a list of claims, or null.
    pub(crate) fn claims<'de, D: serde::Deserializer<'de>>(
        &mut self,
        from: D,
    ) -> Result<Option<Vec<Claim>>, D::Error> {
        let Some(read) = Option::<Vec<ClaimJson<'_>>>::deserialize(from)? else { return Ok(None) };
        let claim = |json: ClaimJson<'_>| {
            let identifier = self.identifier(&json).map_err(serde::de::Error::custom)?;
            Ok(json.claim(identifier))
        };
        read.into_iter().map(claim).collect::<Result<_, _>>().map(Some)
    }

    fn identifier(&mut self, json: &ClaimJson<'_>) -> Result<Arc<Identifier>, IdentifierError> {
        let is_it = |(raw, region, identifier): &&(String, Option<String>, Arc<Identifier>)| {
            *raw == json.value
                && identifier.namespace == json.ns
                // A scope that was written otherwise is normalised again.
                && identifier.scope == json.scope
                && region.as_deref() == json.region.as_deref()
        };
        if let Some((_, _, known)) = self.known.iter().find(is_it) {
            return Ok(Arc::clone(known));
        }
        let identifier = json.normalised()?;
        let region = json.region.as_deref().map(str::to_owned);
        let known = (json.value.clone().into_owned(), region, Arc::clone(&identifier));
        match self.known.get_mut(self.next) {
            Some(place) => *place = known,
            None => self.known.push(known),
        }
        self.next = (self.next + 1) % Self::MOST;
        Ok(identifier)
    }
}

/// Whether a text is a telephone number with its country code (`+31612345678`) as the plan of that
/// country gives them out, and not only of a possible length.
///
/// ```
/// use cx_core::identifier::is_international_number;
/// assert!(is_international_number("+31 6 1234 5678"));
/// assert!(!is_international_number("+612345678") && !is_international_number("0612345678"));
/// ```
pub fn is_international_number(text: &str) -> bool {
    phone::is_international(text)
}

/// Whether a text is a region (ISO 3166, `NL`) in which telephone numbers are read.
pub fn is_region(text: &str) -> bool {
    phone::is_region(text)
}

/// How else the e-mail address of this key is written.
pub(crate) fn written_addresses(key: &str) -> Vec<String> {
    email::written(key)
}

/// How an e-mail address is written under the other names of its provider.
pub(crate) fn addresses_elsewhere(address: &str) -> Vec<String> {
    email::elsewhere(address)
}

/// The digits under which the telephone number of this key is written, and where they may begin.
pub(crate) fn written_numbers(key: &str) -> Vec<(String, Start)> {
    phone::written(key)
}

/// What a person typed to say whom they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A customer id that cx issued.
    Customer(crate::ids::CustomerId),
    /// An identifier.
    Identifier(Identifier),
}

/// Why a text names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no customer id, address, number or NAMESPACE:VALUE{}", reason.map(|reason| format!(" ({reason})")).unwrap_or_default())]
pub struct WhoError {
    /// What was read.
    pub text: String,
    /// What is wrong with the value, if it has the form of one.
    #[source]
    pub reason: Option<IdentifierError>,
}

impl Who {
    /// Reads an identifier as a person types it: `+31 6 1234 5678`, `jan@example.nl`, a customer
    /// id, a namespace and a value such as `cookie:c42` or `helpdesk:zendesk:acme:123`, or a link
    /// such as `tel:+31612345678`.
    /// Numbers without a country code are read as numbers of `region`.
    ///
    /// # Errors
    /// [`WhoError`] where the text is none of these.
    ///
    /// ```
    /// # use cx_core::identifier::Who;
    /// let Ok(Who::Identifier(jan)) = Who::parse("Jan@Example.NL", None) else { panic!() };
    /// assert_eq!(jan.to_string(), "email:jan@example.nl");
    /// assert_eq!(Who::parse("tel:+31612345678", None), Who::parse("+31 6 1234 5678", None));
    /// ```
    pub fn parse(text: &str, region: Option<&str>) -> Result<Self, WhoError> {
        let typed = text.trim();
        // As telephone systems hand a number over.
        let typed = match typed.split_once(':') {
            Some((scheme, number))
                if scheme.eq_ignore_ascii_case("tel") && phone::looks_like_number(number) =>
            {
                number
            }
            _ => typed,
        };
        if let Ok(id) = typed.parse() {
            return Ok(Self::Customer(id));
        }
        let fail = |reason| WhoError { text: text.to_owned(), reason };
        let identifier = match typed.split_once(':') {
            Some((name, rest)) if Namespace::is_name(name) && name != "mailto" => {
                let namespace = Namespace::from_name(name);
                let (scope, value) = match rest.rsplit_once(':') {
                    // A cookie may have the scope of its site.
                    Some((scope, value))
                        if namespace.is_scoped() || namespace == Namespace::Cookie =>
                    {
                        (scope, value)
                    }
                    _ => ("", rest),
                };
                Identifier::normalise(namespace, scope, value, region)
            }
            _ if typed.contains('@') => Identifier::normalise(Namespace::Email, "", typed, None),
            _ if phone::looks_like_number(typed) => {
                Identifier::normalise(Namespace::Phone, "", typed, region)
            }
            _ => return Err(fail(None)),
        };
        identifier.map(Self::Identifier).map_err(|reason| fail(Some(reason)))
    }
}

impl FromStr for Who {
    type Err = WhoError;

    fn from_str(text: &str) -> Result<Self, WhoError> {
        Self::parse(text, None)
    }
}
