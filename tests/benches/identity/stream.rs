//! The streams that are measured: our own, or one from a file of the shared generator.

use std::path::Path;

use cx_core::channel::Channel;
use cx_core::event::{Direction, Event, Kind, Source};
use cx_core::identifier::{Assurance, Claim, Namespace, Role};
use cx_core::ids::EventKey;
use cx_core::time::Timestamp;
use cx_tests::trap_stream::PersonLabel;
use serde_json::{Map, Value};

/// The events of a file as `gen_events.py` writes it, with the truth: an object a line, with `eid`,
/// `truth`, `ts`, `ch`, `name` and `ids`. It does not say how a value is proved; every one is taken
/// for proved, as its own simulation does.
pub(crate) fn of_file(path: &Path) -> Result<Vec<(Event, PersonLabel)>, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = (1..).zip(text.lines());
    let read = |(n, line): (u32, &str)| {
        event(line).ok_or_else(|| format!("{}:{n}: not as gen_events.py writes it", path.display()))
    };
    lines.map(read).collect()
}

fn event(line: &str) -> Option<(Event, PersonLabel)> {
    let json: Value = serde_json::from_str(line).ok()?;
    let label = PersonLabel(u32::try_from(json["truth"].as_u64()?).ok()?);
    let key = EventKey::new(json["eid"].as_str()?).ok()?;
    let at = Timestamp::from_seconds(json["ts"].as_i64()?).ok()?;
    let kind = Kind::from_json("message", Map::new()).ok()?;
    let mut event = Event::new(key, Source::default(), kind, at);
    event.channel = Channel::from_name(json["ch"].as_str()?);
    event.direction = Direction::In;
    event.name = json["name"].as_str().map(str::to_owned);
    for id in json["ids"].as_array()? {
        let (role, proved) = (Role::Subject, Assurance::ChannelProved);
        let value = id[1].as_str()?;
        event.who.extend(match id[0].as_str()? {
            // WhatsApp gives numbers with their country and without a plus.
            "phone" if json["ch"] == "whatsapp" => {
                Claim::phone(&format!("+{value}"), None, role, proved)
            }
            "phone" => Claim::phone(value, Some("GB"), role, proved),
            "card" => Claim::scoped(Namespace::Loyalty, "shop", value, role, proved),
            "user_id" => Claim::scoped(Namespace::UserId, "shop", value, role, proved),
            name => Claim::new(Namespace::from_name(name), value, role, proved),
        });
    }
    Some((event, label))
}
