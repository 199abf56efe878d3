//! Trunks: who sends calls to our numbers, and takes ours.

use super::secret::{Secret, secret};
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::{Entry, Node};
use crate::model::{Network, Problem};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A party that sends calls to our numbers, and takes calls of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    pub name: Arc<str>,
    /// From where its calls come; its peers belong to them unsaid.
    pub addresses: Vec<Network>,
    /// Where our calls to it go, best first.
    pub peers: Vec<Peer>,
    /// How we prove to it who we are.
    pub account: Option<Account>,
    pub register: Option<Registration>,
    pub health: Option<Health>,
    /// Emergency calls go here.
    pub emergency: bool,
}

/// Our registration there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub registrar: Peer,
    pub domain: String,
    pub lifetime: Duration,
}

/// How its peers are asked whether they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    pub every: Duration,
    pub misses: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub host: Host,
    pub port: u16,
    pub tcp: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    Address(IpAddr),
    /// Leads to one address or several, as long as somebody knows them.
    Name(Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    pub password: Secret,
}

pub const FIELDS: &[Field] = &[
    Field::optional("addresses", Kind::List, "from where its calls come: 192.0.2.7, 127.0.0.0/8"),
    Field::optional(
        "peers",
        Kind::List,
        "where our calls to it go, best first: 192.0.2.7, 192.0.2.8:5070, tcp:sip.carrier.example; its calls may come from there too",
    ),
    Field::optional("user", Kind::Text, "who we are to it, if it asks for a password"),
    Field::optional("password", Kind::Text, "our password there, in clear: for demos"),
    Field::optional("password_file", Kind::Text, "a file with the password, from here"),
    Field::optional("password_env", Kind::Text, "an environment variable with the password"),
    Field::optional(
        "register",
        Kind::Text,
        "its registrar, if it knows us by our registration as `user`: sip.carrier.example, tcp:192.0.2.7:5070",
    ),
    Field::optional("domain", Kind::Text, "the domain of our address there; the registrar's name or address if absent"),
    Field::default("lifetime", Kind::Timeout, "the lifetime of our registration; renewed when four fifths of it have passed", "10m"),
    Field::optional(
        "options",
        Kind::Timeout,
        "how often each of `peers` is asked whether it is there (OPTIONS); calls try those first that answer",
    ),
    Field::default(
        "misses",
        Kind::Count,
        "a peer is down after so many questions without an answer, or at a 503; up at any other answer",
        "2",
    ),
    Field::default("emergency", Kind::Flag, "emergency calls of our stations go here", "false"),
];

/// The peers of one trunk at most: a call tries them one after the other.
const PEERS_MAX: usize = 8;
const SIP_PORT: u16 = 5060;

pub fn read(entry: &Entry, dir: &Path, problems: &mut Vec<Problem>) -> Option<Trunk> {
    let reader = Reader::open(&entry.node, "a trunk", FIELDS, problems)?;
    let mut addresses = Vec::new();
    for (text, at) in reader.texts("addresses", problems) {
        match text.parse() {
            Ok(network) => addresses.push(network),
            Err(_) => {
                problems.push(at.choose(format!("`{text}` is not an address or a network"), ["192.0.2.7", "127.0.0.0/8", "2001:db8::/32"]));
            }
        }
    }
    let mut peers = Vec::new();
    for (text, at) in reader.texts("peers", problems) {
        match peer(text) {
            Some(peer) => peers.push(peer),
            None => problems.push(at.choose(
                format!("`{text}` is neither an address nor a name of a peer"),
                ["192.0.2.7", "sip.carrier.example:5070", "tcp:[2001:db8::1]:5060"],
            )),
        }
    }
    let account = account(&reader, &entry.node, dir, problems);
    let register = registration(&reader, account.is_some(), problems);
    if let (true, Some(register)) = (reader.node("peers").is_none(), &register) {
        peers.push(register.registrar.clone());
    }
    if reader.node("addresses").is_none() && peers.is_empty() && reader.node("peers").is_none() {
        problems.push(
            reader.at.choose(
                format!("the trunk `{}` has no address: nobody would be known as it", entry.key),
                ["addresses", "peers", "register"],
            ),
        );
    }
    if let Some(node) = reader.node("peers").filter(|_| peers.len() > PEERS_MAX) {
        problems.push(node.at.problem(format!("a trunk has {PEERS_MAX} peers at most: a call tries them one after the other")));
    }
    let misses = reader.count("misses", 1..=100, problems).and_then(|misses| u32::try_from(misses).ok())?;
    let health = reader.node("options").and_then(|_| reader.span("options", problems)).map(|every| Health { every, misses });
    let emergency = reader.flag("emergency", problems)?;
    if let Some(node) = reader.node("emergency").filter(|_| emergency && peers.is_empty()) {
        problems.push(node.at.problem("emergency calls cannot go to a trunk without `peers`"));
    }
    Some(Trunk { name: entry.key.as_str().into(), addresses, peers, account, register, health, emergency })
}

fn registration(reader: &Reader, proves: bool, problems: &mut Vec<Problem>) -> Option<Registration> {
    let lifetime = reader.span("lifetime", problems);
    let node = reader.node("register")?;
    let text = reader.text("register", problems)?;
    let Some(registrar) = peer(text) else {
        problems.push(
            node.at
                .choose(format!("`{text}` is neither an address nor a name of a registrar"), ["192.0.2.7", "tcp:sip.carrier.example:5070"]),
        );
        return None;
    };
    if !proves {
        problems.push(node.at.problem("a registration needs `user` and a password"));
    }
    let domain = reader.text("domain", problems).map_or_else(|| registrar.to_string(), String::from);
    Some(Registration { registrar, domain, lifetime: lifetime? })
}

fn account(reader: &Reader, node: &Node, dir: &Path, problems: &mut Vec<Problem>) -> Option<Account> {
    let ways = ["password", "password_file", "password_env"];
    if reader.node("user").is_none() && ways.iter().all(|way| reader.node(way).is_none()) {
        return None;
    }
    let user = reader.text("user", problems);
    if user.is_none() {
        problems.push(node.at.problem("a password without `user` proves nothing"));
    }
    let password = secret(reader, "[sip.trunks] says where the password is, in one way", ways, dir, problems)?;
    Some(Account { user: user?.to_string(), password })
}

fn peer(text: &str) -> Option<Peer> {
    let (tcp, rest) = text.strip_prefix("tcp:").map_or((false, text), |rest| (true, rest));
    let bare = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest);
    let address = rest.parse().ok().or_else(|| Some(SocketAddr::new(bare.parse().ok()?, SIP_PORT)));
    if let Some(address) = address {
        return Some(Peer { host: Host::Address(address.ip()), port: address.port(), tcp });
    }
    let (name, port) = rest.split_once(':').map_or((rest, Some(SIP_PORT)), |(name, port)| (name, port.parse().ok()));
    is_name(name).then_some(Peer { host: Host::Name(name.to_ascii_lowercase().into()), port: port?, tcp })
}

/// Of a host (RFC 1123 §2.1): one whose last part is a number would be an address that somebody mistyped.
fn is_name(text: &str) -> bool {
    let part = |part: &str| {
        let known = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        known && !part.starts_with('-') && !part.ends_with('-') && (1..=63).contains(&part.len())
    };
    text.len() <= 253 && text.split('.').all(part) && text.rsplit('.').next().is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()))
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(address) => write!(f, "{}", SocketAddr::new(*address, self.port)),
            Host::Name(name) if self.port == SIP_PORT => f.write_str(name),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl Trunk {
    /// The names by which it is known to us.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let peers = self.peers.iter().chain(self.register.iter().map(|register| &register.registrar));
        peers.filter_map(|peer| if let Host::Name(name) = &peer.host { Some(name) } else { None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_in_every_spelling() {
        for (text, address, tcp) in [
            ("192.0.2.7", "192.0.2.7:5060", false),
            ("192.0.2.7:5070", "192.0.2.7:5070", false),
            ("tcp:192.0.2.7", "192.0.2.7:5060", true),
            ("[2001:db8::1]:5070", "[2001:db8::1]:5070", false),
            ("tcp:[2001:db8::1]", "[2001:db8::1]:5060", true),
            ("2001:db8::1", "[2001:db8::1]:5060", false),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(peer(text), Some(Peer { host: Host::Address(address.ip()), port: address.port(), tcp }), "{text}");
        }
        for (text, name, port, tcp) in [
            ("Sip.Carrier.example", "sip.carrier.example", 5060, false),
            ("tcp:host:5070", "host", 5070, true),
            ("3com.com", "3com.com", 5060, false),
        ] {
            assert_eq!(peer(text), Some(Peer { host: Host::Name(name.into()), port, tcp }), "{text}");
        }
        for bad in
            ["", "192.0.2.7:", "udp:192.0.2.7", "192.0.2.0/24", "192.0.2.256", "a..b", "-a.b", "host:port", "sip:host", "a b", "tcp:"]
        {
            assert_eq!(peer(bad), None, "{bad}");
        }
    }
}
