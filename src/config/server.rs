//! What the edges are told: addresses, trunks, limits, who may log in.

use super::journal::{self, Journal};
use super::outward::Outward;
use super::secret::{Secret, secret};
use super::trunks::{self, Trunk};
use crate::leg::code::Plan;
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::Node;
use crate::model::{AgentId, Problem};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Server {
    /// The centre's name, for screens.
    pub name: Arc<str>,
    pub sip: Sip,
    pub http: Http,
    pub media: Media,
    pub journal: Journal,
    pub data_dir: PathBuf,
    pub flows_dir: PathBuf,
    /// `<language>/<name>.wav`, `hold-music.wav` and `manifest.json`.
    pub prompts_dir: PathBuf,
    pub agents: BTreeMap<AgentId, Credentials>,
    pub outward: Outward,
    pub codes: Plan,
    pub on_register: OnRegister,
    /// How long calls alive may go on in a centre that is told to stop.
    pub drain: Duration,
    /// Bytes of memory that must be left for those alive: with less, new calls are refused.
    pub memory_reserve: u64,
}

impl Server {
    /// Moves the centre to another address, and to that alone; its ports stay.
    pub fn listen_on(&mut self, address: IpAddr) {
        self.sip.listen.truncate(1);
        self.sip.listen[0].set_ip(address);
        self.http.listen.set_ip(address);
        self.media.addresses = vec![address];
    }
}

#[derive(Clone, Debug)]
pub struct Sip {
    /// One at least.
    pub listen: Vec<SocketAddr>,
    pub transports: Transports,
    pub realm: Arc<str>,
    pub trunks: Vec<Trunk>,
    /// RFC 4028: how long a call lasts that nobody refreshes, and the least that we let others ask for.
    pub session_expires: Duration,
    pub session_min: Duration,
    /// A party who does not answer for so long when asked whether they are there is gone.
    pub probe_timeout: Duration,
    pub limits: SipLimits,
}

/// What carries SIP, on one port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transports {
    #[default]
    Both,
    Udp,
    Tcp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipLimits {
    pub transactions: u32,
    pub transactions_per_source: u32,
    pub dialogs: u32,
    /// Contacts of one user.
    pub contacts: u32,
    /// Unanswered or wrong challenges that one source may cause per minute.
    pub challenges: u32,
    /// Octets of one message, and its header lines.
    pub message: u32,
    pub headers: u32,
    /// TCP connections at once, of all and of one address.
    pub connections: u32,
    pub connections_per_source: u32,
    /// A silent connection is closed after it.
    pub idle: Duration,
    /// A message that has begun on a connection must have come within it.
    pub half_message: Duration,
}

#[derive(Clone, Debug)]
pub struct Http {
    pub listen: SocketAddr,
    /// The bearer token of `/api`.
    pub token: Secret,
}

#[derive(Clone, Debug)]
pub struct Media {
    /// One at least; the first is a party's whose own is of neither family.
    pub addresses: Vec<IpAddr>,
    pub ports: RangeInclusive<u16>,
    /// A party of whom nothing is heard for so long is asked by SIP whether they are there.
    pub silence: Duration,
}

/// How an agent proves who they are.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub password: Secret,
    /// Asked for at a log-in by telephone; without one there is none.
    pub pin: Option<Secret>,
}

/// What an agent is whose station registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRegister {
    Ready,
    #[default]
    NotReady,
}

pub const CENTRE_FIELDS: &[Field] = &[
    Field::required("name", Kind::Text, "the centre's name"),
    Field::required("languages", Kind::Map, "every language of the centre, with the skill of speaking it: {en = \"english\"}"),
    Field::default("zone", Kind::Text, "the time zone in which a day of the figures begins: America/Chicago", "UTC"),
    Field::default("flows", Kind::Text, "the directory of the flows, from here", "../ivr-flows"),
    Field::default("prompts", Kind::Text, "the directory of the prompts, from here", "../ivr-flows/prompts"),
    Field::default("data", Kind::Text, "the directory of records and keys, from here", "../data"),
    Field::default("memory_reserve", Kind::Count, "MiB that must be left for those alive: with less, new calls are refused (503)", "64"),
    Field::default("on_register", Kind::Text, "what an agent is whose station registers: `ready` or `not_ready`", "not_ready"),
    Field::default("drain", Kind::Span, "how long calls alive may go on when the centre is told to stop", "5m"),
];

pub const SIP_FIELDS: &[Field] = &[
    Field::default(
        "listen",
        Kind::List,
        "address and port for SIP, or several: 192.0.2.1:5060, [2001:db8::1]:5060; each one address, not all (0.0.0.0)",
        "127.0.0.1:5060",
    ),
    Field::default("transports", Kind::Text, "what carries SIP on that port: `both`, `udp` or `tcp`", "both"),
    Field::required(
        "realm",
        Kind::Text,
        "the realm of the stations' passwords; another one ends every registration, as another password ends its own",
    ),
    Field::optional("trunks", Kind::Map, "parties that send calls to our numbers, and take ours"),
    Field::default(
        "probe_timeout",
        Kind::Timeout,
        "a party who does not answer for so long when asked whether they are there is gone; a station that is called, after twice as long",
        "4s",
    ),
    Field::default(
        "session_expires",
        Kind::Timeout,
        "a call that nobody has refreshed for so long is over; refreshed at half of it (RFC 4028)",
        "30m",
    ),
    Field::default("session_min", Kind::Timeout, "the least that others may ask for instead; RFC 4028 wants 90s at least", "90s"),
    Field::optional("limits", Kind::Map, "how much of anything there may be"),
];
pub const SIP_LIMIT_FIELDS: &[Field] = &[
    Field::default("transactions", Kind::Count, "transactions alive at once", "100000"),
    Field::default("transactions_per_source", Kind::Count, "transactions alive at once of one address", "50000"),
    Field::default("dialogs", Kind::Count, "dialogs alive at once", "20000"),
    Field::default("contacts", Kind::Count, "contacts of one station", "10"),
    Field::default("challenges", Kind::Count, "unanswered or wrong challenges of one source per minute", "60"),
    Field::default("message", Kind::Count, "octets of one message", "65536"),
    Field::default("headers", Kind::Count, "header lines of one message", "256"),
    Field::default("connections", Kind::Count, "TCP connections at once", "5000"),
    Field::default("connections_per_source", Kind::Count, "TCP connections at once of one address", "500"),
    Field::default("idle", Kind::Timeout, "a TCP connection that is silent for so long is closed", "10m"),
    Field::default("half_message", Kind::Timeout, "a message that has begun on a connection must be whole so long after", "5s"),
];
pub const HTTP_FIELDS: &[Field] = &[
    Field::default("listen", Kind::Text, "address and port for figures and API", "127.0.0.1:8080"),
    Field::optional("token", Kind::Text, "the bearer token of /api, in clear: for demos"),
    Field::optional("token_file", Kind::Text, "a file with the token, from here"),
    Field::optional("token_env", Kind::Text, "an environment variable with the token"),
];
pub const MEDIA_FIELDS: &[Field] = &[
    Field::default("address", Kind::List, "the address of sound (RTP), or one for IPv4 and one for IPv6; not all (0.0.0.0)", "127.0.0.1"),
    Field::default("ports", Kind::Text, "its ports: first-last", "20000-29999"),
    Field::default("silence", Kind::Timeout, "a party who sends nothing for so long is asked by SIP whether they are there", "10s"),
];

/// Reads the blocks `centre`, `sip`, `http` and `media`; the agents are added by whoever reads them.
pub fn read(root: &Node, dir: &Path, problems: &mut Vec<Problem>) -> Option<Server> {
    let block = |name: &str| root.get(name);
    let centre = block("centre").and_then(|node| Reader::open(node, "[centre]", CENTRE_FIELDS, problems));
    let sip = block("sip").and_then(|node| sip(node, dir, problems));
    let http = block("http").and_then(|node| http(node, dir, problems));
    let media = block("media").and_then(|node| media(node, problems));
    if let (Some(sip), Some(media), Some(node)) = (&sip, &media, block("media")) {
        same_families(sip, media, node, problems);
    }
    let journal = journal::read(root, problems);
    let centre = centre?;
    let name = centre.text("name", problems);
    let memory_reserve = centre.count("memory_reserve", 1..=1_000_000, problems);
    let on_register = centre.word("on_register", &[("ready", OnRegister::Ready), ("not_ready", OnRegister::NotReady)], problems);
    let drain = centre.span("drain", problems);
    let mut path = |name: &str| centre.text(name, problems).map(|text| dir.join(text));
    let (flows_dir, prompts_dir, data_dir) = (path("flows"), path("prompts"), path("data"));
    Some(Server {
        name: name?.into(),
        sip: sip?,
        http: http?,
        media: media?,
        journal: journal?,
        data_dir: data_dir?,
        flows_dir: flows_dir?,
        prompts_dir: prompts_dir?,
        agents: BTreeMap::new(),
        outward: Outward::default(),
        codes: Plan::default(),
        on_register: on_register?,
        memory_reserve: memory_reserve? << 20,
        drain: drain?,
    })
}

fn sip(node: &Node, dir: &Path, problems: &mut Vec<Problem>) -> Option<Sip> {
    let reader = Reader::open(node, "[sip]", SIP_FIELDS, problems)?;
    let listen = named(&reader, "listen", "127.0.0.1:5060", SocketAddr::ip, problems);
    let words = [("both", Transports::Both), ("udp", Transports::Udp), ("tcp", Transports::Tcp)];
    let transports = reader.word("transports", &words, problems);
    let realm = reader.text("realm", problems);
    let probe_timeout = reader.span("probe_timeout", problems);
    let mut trunks = Vec::new();
    for entry in reader.node("trunks").and_then(|node| node.expect_map(problems)).unwrap_or(&[]) {
        trunks.extend(trunks::read(entry, dir, problems));
    }
    let empty = Node { at: node.at.clone(), value: crate::model::tree::Value::Map(Vec::new()) };
    let limits = Reader::open(reader.node("limits").unwrap_or(&empty), "[sip.limits]", SIP_LIMIT_FIELDS, problems)?;
    let limits = sip_limits(&limits, problems)?;
    let (session_expires, session_min) = (reader.span("session_expires", problems)?, reader.span("session_min", problems)?);
    if let Some(node) = reader.node("session_expires").filter(|_| session_expires < session_min) {
        problems.push(node.at.problem("`session_expires` is shorter than `session_min`: we would refuse what we ask for"));
    }
    Some(Sip {
        listen,
        transports: transports?,
        realm: realm?.into(),
        trunks,
        session_expires,
        session_min,
        probe_timeout: probe_timeout?,
        limits,
    })
}

/// Who calls in by one family is told an address of sound of the same.
fn same_families(sip: &Sip, media: &Media, node: &Node, problems: &mut Vec<Problem>) {
    let heard = |listen: &SocketAddr| media.addresses.iter().any(|address| address.is_ipv4() == listen.is_ipv4());
    if let Some(deaf) = sip.listen.iter().find(|listen| !heard(listen)) {
        let example = if deaf.is_ipv4() { "192.0.2.1" } else { "2001:db8::1" };
        problems.push(node.at.choose(format!("who calls {deaf} would hear nothing: `address` names none of its family"), [example]));
    }
}

fn sip_limits(reader: &Reader, problems: &mut Vec<Problem>) -> Option<SipLimits> {
    let mut count = |name: &str| reader.count(name, 1..=10_000_000, problems).and_then(|count| u32::try_from(count).ok());
    let (transactions, dialogs, contacts, challenges) = (count("transactions"), count("dialogs"), count("contacts"), count("challenges"));
    let transactions_per_source = count("transactions_per_source");
    let (headers, connections, connections_per_source) = (count("headers"), count("connections"), count("connections_per_source"));
    // Less would refuse honest calls.
    let message = reader.count("message", 4096..=10_000_000, problems).and_then(|count| u32::try_from(count).ok());
    let (idle, half_message) = (reader.span("idle", problems), reader.span("half_message", problems));
    Some(SipLimits {
        transactions: transactions?,
        transactions_per_source: transactions_per_source?,
        dialogs: dialogs?,
        contacts: contacts?,
        challenges: challenges?,
        message: message?,
        headers: headers?,
        connections: connections?,
        connections_per_source: connections_per_source?,
        idle: idle?,
        half_message: half_message?,
    })
}

fn http(node: &Node, dir: &Path, problems: &mut Vec<Problem>) -> Option<Http> {
    let reader = Reader::open(node, "[http]", HTTP_FIELDS, problems)?;
    let listen: Option<SocketAddr> = parsed(&reader, "listen", "127.0.0.1:8080", problems);
    if let (Some(listen), Some(node)) = (listen, reader.node("listen"))
        && !listen.ip().is_loopback()
    {
        problems.push(node.at.choose("HTTP binds to loopback only: put a TLS proxy before it", ["127.0.0.1:8080"]));
    }
    let ways = ["token", "token_file", "token_env"];
    let token = secret(&reader, "[http] says where the bearer token of /api is, in one way", ways, dir, problems)?;
    if token.0.len() < 16 {
        let at = ways.into_iter().find_map(|way| reader.node(way)).map_or(&node.at, |node| &node.at);
        problems.push(at.problem("the token is shorter than 16 characters: anyone could guess it"));
    }
    Some(Http { listen: listen?, token })
}

fn media(node: &Node, problems: &mut Vec<Problem>) -> Option<Media> {
    let reader = Reader::open(node, "[media]", MEDIA_FIELDS, problems)?;
    let addresses = named(&reader, "address", "127.0.0.1", |address: &IpAddr| *address, problems);
    if let (Some(node), 2..) = (reader.node("address"), addresses.len())
        && (addresses.len() > 2 || addresses[0].is_ipv4() == addresses[1].is_ipv4())
    {
        problems.push(node.at.choose("sound has one address, or one of IPv4 and one of IPv6", ["[\"192.0.2.1\", \"2001:db8::1\"]"]));
    }
    let silence = reader.span("silence", problems);
    let text = reader.text("ports", problems)?;
    let ports = text.split_once('-').and_then(|(first, last)| Some(first.trim().parse::<u16>().ok()?..=last.trim().parse::<u16>().ok()?));
    let ports = ports.filter(|ports| *ports.start() >= 1024 && ports.end().saturating_sub(*ports.start()) >= 3);
    if let (None, Some(node)) = (&ports, reader.node("ports")) {
        problems.push(node.at.choose(format!("`{text}` is no range of ports: first-last, from 1024, four at least"), ["20000-29999"]));
    }
    Some(Media { addresses, ports: ports?, silence: silence? })
}

/// A list of addresses, or its default. Others are told them, in Contact and SDP: they cannot call back one that stands for all.
fn named<T: std::str::FromStr>(
    reader: &Reader,
    name: &str,
    example: &'static str,
    ip: impl Fn(&T) -> IpAddr,
    problems: &mut Vec<Problem>,
) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for (text, at) in reader.texts(name, problems) {
        match text.parse() {
            Ok(address) if ip(&address).to_canonical().is_unspecified() => {
                let address = ip(&address);
                problems.push(at.choose(format!("`{name}` is told to others: {address} leads nobody back; name one address"), [example]));
            }
            Ok(address) => found.push(address),
            Err(_) => problems.push(at.choose(format!("`{text}` is not what `{name}` needs"), [example])),
        }
    }
    if found.is_empty() {
        found.extend(example.parse().ok());
    }
    found
}

fn parsed<T: std::str::FromStr>(reader: &Reader, name: &str, example: &str, problems: &mut Vec<Problem>) -> Option<T> {
    let text = reader.text(name, problems)?;
    let value = text.parse().ok();
    if let (None, Some(node)) = (&value, reader.node(name)) {
        problems.push(node.at.choose(format!("`{text}` is not what `{name}` needs"), [example]));
    }
    value
}
