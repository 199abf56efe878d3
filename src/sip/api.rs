//! What passes through the stack's door: flows, settings, reports, and what can be asked of it.

use super::account::Account;
use super::auth::Credentials;
use super::session::Sessions;
use crate::model::{Network, Phi, PhoneNumber, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// One dialog-to-be, from its INVITE on: the handle of one leg. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    /// The label `transport`.
    pub fn label(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        }
    }
}

/// Where a message came from, or goes to: our socket, theirs, and what carries it. A TCP flow is one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub transport: Transport,
}

impl Flow {
    pub fn udp(local: SocketAddr, remote: SocketAddr) -> Flow {
        Flow { local, remote, transport: Transport::Udp }
    }
}

/// Whom the limits of one source count: an address of IPv4, and of IPv6 the network of 64 bits, all of which is anybody's who has one of it.
pub fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        short => short,
    }
}

/// What the stack wants done. Both kinds are in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Send {
        flow: Flow,
        bytes: Arc<[u8]>,
    },
    /// A connection whose framing is lost (TCP only).
    Close {
        flow: Flow,
    },
    Report(Report),
}

/// Whose INVITE it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The trunk of that name, known by its address.
    Trunk(Arc<str>),
    /// The user of a live registration, proved by digest; for [`EMERGENCY`] numbers, by the registration's flow alone.
    Station(String),
}

/// What a station may dial without a challenge: nothing may stand between a person and help.
pub const EMERGENCY: [&str; 2] = ["911", "9911"];

/// What happened to a dialog or to a station.
///
/// `Cancelled`, `Refused`, `Timeout`, `LateAnswer` and `Ended` are last words: nothing is reported of that dialog after them, and
/// actions on it do nothing. After [`super::Endpoint::bye`] and [`super::Endpoint::reject`] there is no last word. After
/// [`super::Endpoint::cancel`] there is exactly one of `Refused`, `LateAnswer`, `Timeout`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// An INVITE from a trunk to a number of ours, or from a station to anything; 100 has been sent. Ask for `ring`, `accept` or `reject`.
    Incoming {
        dialog: DialogId,
        who: Caller,
        /// A trunk's P-Asserted-Identity, else From; empty if withheld. A station's own user.
        from: PhoneNumber,
        /// The user of the Request-URI, as dialled.
        to: String,
        /// `None`: a late offer; ours goes into the 200, theirs comes with the ACK.
        sdp: Option<Vec<u8>>,
        source: SocketAddr,
    },
    /// The caller gave up before our answer; 487 has been sent.
    Cancelled { dialog: DialogId },
    /// The ACK to our 200 (first or re-INVITE); with SDP if the 200 carried the offer.
    Acked { dialog: DialogId, sdp: Option<Vec<u8>> },
    /// 180 or 183 to our INVITE; each time one comes.
    Alerting { dialog: DialogId, sdp: Option<Vec<u8>> },
    /// 200 to our INVITE; the ACK has been sent.
    Established { dialog: DialogId, sdp: Option<Vec<u8>> },
    /// A final answer of 300 or above to our INVITE. 3xx is never followed.
    Refused { dialog: DialogId, code: u16 },
    /// No answer at all to our INVITE (from a station for twice `Limits::probe`, from anybody else for 64·T1), or none to our CANCEL.
    Timeout { dialog: DialogId },
    /// A 200 crossed our CANCEL: the stack has sent ACK and BYE.
    LateAnswer { dialog: DialogId },
    /// A re-INVITE (or UPDATE) with an offer, or without (`None`): ask for `answer_reoffer` or `reject_reoffer`.
    Reoffer { dialog: DialogId, sdp: Option<Vec<u8>> },
    /// 200 to our re-INVITE.
    ReofferAnswered { dialog: DialogId, sdp: Option<Vec<u8>> },
    /// The peer refused our re-INVITE and the dialog stands as it was.
    ReofferRefused { dialog: DialogId, code: u16 },
    /// 491 to our re-INVITE: try again after `wait` (RFC 3261 §14.1).
    Glare { dialog: DialogId, wait: Duration },
    /// The dialog is over: by the peer's BYE, or `lost` (no ACK, 481, 408, a session timer).
    Ended { dialog: DialogId, lost: bool },
    /// A key by SIP INFO (application/dtmf-relay or application/dtmf).
    Digit { dialog: DialogId, key: Phi<char> },
    /// A station's registration is in force. `fresh`: the user had none before.
    Registered { user: String, fresh: bool, flow: Flow },
    /// A station of the user's answers that had been silent for too long.
    Found { user: String },
    /// The user's last registration was removed or has expired.
    Unregistered { user: String },
    /// A trunk has changed: up while one of its peers answers, and while we are registered there if we are to be.
    TrunkState { name: Arc<str>, up: bool },
}

/// Whom a call of ours is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A user registered here, at every contact, each over its own flow: the first to answer has the call, the others are cancelled.
    /// A contact that comes while it rings is rung, too.
    Station(String),
    /// A number behind a trunk. Its peers are tried in their order: the next one when one is silent, unreachable or answers 503.
    Trunk { trunk: Arc<str>, user: String },
    /// Anybody: a Request-URI, and the flow to it.
    Direct { uri: String, flow: Flow },
}

/// A call of ours.
#[derive(Clone, Debug)]
pub struct Invite {
    pub target: Target,
    /// Shown on a station: the queue and the language, never a caller's number or name.
    pub caller_name: String,
    /// The user part of our From.
    pub from_user: String,
    /// `None`: a late offer.
    pub sdp: Option<Vec<u8>>,
    /// Further headers (`Alert-Info`, `X-…`): name and value, without line ends.
    pub headers: Vec<(String, String)>,
    /// Where the caller is, as a PIDF-LO document (RFC 6442): sent beside the SDP.
    pub location: Option<String>,
}

impl Invite {
    /// With a late offer, from nobody in particular.
    pub fn to(target: Target) -> Invite {
        Invite { target, caller_name: String::new(), from_user: String::new(), sdp: None, headers: Vec::new(), location: None }
    }
}

/// One contact of a registered user, with what the order of its REGISTERs is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StationContact {
    pub uri: String,
    pub flow: Flow,
    pub expires: Time,
    pub call_id: Vec<u8>,
    pub cseq: u32,
    /// `+sip.instance`.
    pub instance: Option<Vec<u8>>,
}

/// What stays the same however often, and by however many ways, one INVITE reaches us (RFC 3261 §8.2.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub call_id: Vec<u8>,
    pub from_tag: Vec<u8>,
    pub cseq: u32,
}

/// The user has no live registration, the trunk no peer, or the endpoint is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotReachable;

/// Why we cancel or hang up (RFC 3326).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody else answered: the phone shows no missed call.
    CompletedElsewhere,
}

/// A party that sends calls to our numbers, and takes calls of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trunk {
    pub name: Arc<str>,
    /// From where its calls come; its peers belong to them unsaid.
    pub addresses: Vec<Network>,
    /// Where our calls to it go, best first.
    pub peers: Vec<Peer>,
    /// How we prove to it who we are.
    pub account: Option<Account>,
    /// Where we register as the account, if it wants to know us so.
    pub register: Option<Registration>,
    /// How its peers are asked whether they are there; without, they are taken to be.
    pub health: Option<Health>,
    /// It has a name that leads nowhere yet: it is down.
    pub unknown: bool,
}

impl Trunk {
    pub fn holds(&self, source: IpAddr) -> bool {
        let registrar = self.register.iter().map(|register| &register.registrar);
        let mut peers = self.peers.iter().chain(registrar).map(|peer| peer.address.ip());
        self.addresses.iter().any(|network| network.contains(source)) || peers.any(|address| address == source.to_canonical())
    }
}

/// Our registration at a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub registrar: Peer,
    /// The domain of our address there.
    pub domain: String,
    /// The lifetime that we ask for.
    pub seconds: u32,
}

/// OPTIONS to each peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    pub every: Duration,
    /// A peer is down after so many questions without an answer.
    pub misses: u32,
}

/// One address of a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub address: SocketAddr,
    pub transport: Transport,
}

/// How much connections may hold, and how long (TCP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    /// Connections at once; one more is not taken.
    pub connections: usize,
    /// Connections at once of one address.
    pub per_source: usize,
    /// Octets in a message.
    pub message: usize,
    /// Header lines in a message.
    pub headers: usize,
    /// A connection that is silent for so long is closed.
    pub idle: Duration,
    /// A message that has begun must have come so long after.
    pub half: Duration,
}

impl Default for Streams {
    fn default() -> Streams {
        Streams {
            connections: 5_000,
            per_source: 500,
            message: 64 * 1024,
            headers: 256,
            idle: Duration::from_secs(600),
            half: Duration::from_secs(5),
        }
    }
}

/// How much of anything there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets in a message; a longer one is refused with 513.
    pub message: usize,
    /// Header lines in a message.
    pub headers: usize,
    /// Transactions alive at once; beyond, new requests get 503.
    pub transactions: usize,
    /// Transactions alive at once of one address.
    pub transactions_per_source: usize,
    /// Dialogs alive at once; beyond, new INVITEs get 503.
    pub dialogs: usize,
    /// Contacts of one user.
    pub contacts: usize,
    /// Unanswered or wrong challenges that one source may cause per minute.
    pub challenges: u32,
    /// Sources remembered for that.
    pub sources: usize,
    /// Accepted lifetimes of a registration, in seconds.
    pub expires_min: u32,
    pub expires_max: u32,
    /// How long a nonce may be used.
    pub nonce: Duration,
    /// How long a peer may take to answer when asked whether it is still there; a station that is called, twice as long.
    pub probe: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message: 64 * 1024,
            headers: 256,
            transactions: 100_000,
            transactions_per_source: 50_000,
            dialogs: 20_000,
            contacts: 10,
            challenges: 60,
            sources: 10_000,
            expires_min: 10,
            expires_max: 3600,
            nonce: Duration::from_secs(300),
            probe: Duration::from_secs(4),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The digest realm; HA1s are made for it.
    pub realm: String,
    pub trunks: Vec<Trunk>,
    /// Users of Request-URIs that a trunk reaches; others get 404. `None`: all are reported.
    pub numbers: Option<BTreeSet<String>>,
    /// Who may register, and the HA1s to prove it. Passwords are not kept.
    pub users: BTreeMap<String, Credentials>,
    /// Whether there is TCP: what is too big for a datagram goes by it.
    pub tcp: bool,
    pub sessions: Sessions,
    pub limits: Limits,
}

/// What the endpoint has counted since its start, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub requests: u64,
    pub responses: u64,
    pub malformed: u64,
    pub forbidden: u64,
    pub challenged: u64,
    pub overloaded: u64,
    /// Calls from trunks turned away before they were any: to no number of ours (404), or for want of room or in a drain (503).
    pub refused: u64,
    pub retransmitted: u64,
    pub timeouts: u64,
}
