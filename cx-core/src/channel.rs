//! Channels: where a thing happened. The one place where their names are read and written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! channels {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $group:ident;)*) => {
        /// Where a thing happened.
        ///
        /// Reading a name that is not in the list gives [`Channel::Other`], so every channel
        /// survives a round trip; `other:kiosk` and `kiosk` are the same channel.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Channel {
            $($(#[$doc])* $variant,)*
            /// A channel of another name.
            Other(String),
        }

        impl Channel {
            /// Every channel that has a name of its own, in the order of the documentation.
            pub const NAMED: &'static [Self] = &[$(Self::$variant),*];

            /// The name as it stands in JSON and SQL: `email`, `other:kiosk`.
            pub fn name(&self) -> std::borrow::Cow<'_, str> {
                match self {
                    $(Self::$variant => $name.into(),)*
                    Self::Other(name) if name.is_empty() => "other".into(),
                    Self::Other(name) => format!("other:{name}").into(),
                }
            }

            /// Whether people talk to each other on it, or things are only seen on it.
            pub const fn group(&self) -> ChannelGroup {
                match self {
                    $(Self::$variant => ChannelGroup::$group,)*
                    Self::Other(_) => ChannelGroup::Signal,
                }
            }

            /// The channel of that name.
            pub fn from_name(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)*
                    _ => Self::Other(
                        name.strip_prefix("other:")
                            .unwrap_or(if name == "other" { "" } else { name })
                            .to_owned(),
                    ),
                }
            }
        }
    };
}

channels! {
    /// Electronic mail.
    Email = "email", Talk;
    /// Telephone.
    Phone = "phone", Talk;
    /// Chat on the business's own site or in its own app.
    Chat = "chat", Talk;
    /// Text messages of the telephone network.
    Sms = "sms", Talk;
    /// WhatsApp.
    Whatsapp = "whatsapp", Talk;
    /// Facebook Messenger.
    Messenger = "messenger", Talk;
    /// Instagram direct messages.
    Instagram = "instagram", Talk;
    /// Telegram.
    Telegram = "telegram", Talk;
    /// X, once Twitter.
    X = "x", Talk;
    /// LINE.
    Line = "line", Talk;
    /// Viber.
    Viber = "viber", Talk;
    /// WeChat.
    Wechat = "wechat", Talk;
    /// Apple Messages for Business.
    AppleMessages = "apple_messages", Talk;
    /// Rich Communication Services.
    Rcs = "rcs", Talk;
    /// Other public posts.
    Social = "social", Talk;
    /// Review sites.
    Review = "review", Talk;
    /// Community forums.
    Forum = "forum", Talk;
    /// Forms, portal and page views on the web.
    Web = "web", Signal;
    /// In-app events and push messages.
    App = "app", Signal;
    /// In person, in a shop.
    Store = "store", Talk;
    /// Letters on paper.
    Letter = "letter", Talk;
    /// Video calls.
    Video = "video", Talk;
    /// The shop's back end.
    Commerce = "commerce", Signal;
    /// The campaign tool.
    Marketing = "marketing", Signal;
    /// Another program.
    Api = "api", Signal;
    /// The system of record itself.
    System = "system", Signal;
}

/// What a channel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelGroup {
    /// Two-way: people talk to each other.
    Talk,
    /// One-way: things are seen or sent.
    Signal,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl FromStr for Channel {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self::from_name(name))
    }
}

impl Serialize for Channel {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.name())
    }
}

impl<'de> Deserialize<'de> for Channel {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self::from_name(&String::deserialize(from)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_reads_back_what_it_writes() {
        let others = [Channel::Other("kiosk".to_owned()), Channel::Other(String::new())];
        for channel in Channel::NAMED.iter().chain(&others) {
            assert_eq!(&Channel::from_name(&channel.name()), channel);
        }
        assert_eq!(Channel::from_name("kiosk").name(), "other:kiosk");
    }
}
