//! What we know of our trunks: which peers answer, where we are registered, and what is to be asked next. It sends nothing itself.

use super::api::{Peer, Registration, Trunk};
use crate::model::Time;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// After a registration that failed it is tried again so much later, then twice as much, and so on.
const BACK_OFF: Duration = Duration::from_secs(30);
const BACK_OFF_MAX: Duration = Duration::from_secs(1800);
/// A registration is renewed when four fifths of its time have passed, but not more often than this.
const REFRESH_MIN: Duration = Duration::from_secs(5);

/// What is to be asked of a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    Options { trunk: Arc<str>, peer: Peer },
    Register { trunk: Arc<str>, registration: Registration, seconds: u32, cseq: u32 },
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The final answer.
    Answered(u16),
    /// Registered for so many seconds.
    Registered(u32),
    /// 423: the registrar wants to hear of us less often.
    TooBrief(u32),
    /// No answer, no way.
    Nothing,
}

#[derive(Debug)]
struct PeerState {
    peer: Peer,
    up: bool,
    misses: u32,
    asked: bool,
    due: Time,
}

#[derive(Debug)]
struct Registered {
    /// Until when, if we are.
    until: Option<Time>,
    due: Time,
    seconds: u32,
    cseq: u32,
    failures: u32,
    asked: bool,
    stay: Stay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    Stays,
    /// It is asked to forget us.
    Leaves,
    Left,
}

#[derive(Debug)]
struct State {
    trunk: Trunk,
    peers: Vec<PeerState>,
    registered: Option<Registered>,
    /// As it was last said.
    up: bool,
}

impl State {
    fn new(trunk: &Trunk) -> State {
        let peer = |peer: &Peer| PeerState { peer: *peer, up: true, misses: 0, asked: false, due: Time(0) };
        let registered = trunk.register.as_ref().map(|wish| Registered {
            until: None,
            due: Time(0),
            seconds: wish.seconds,
            cseq: 0,
            failures: 0,
            asked: false,
            stay: Stay::Stays,
        });
        let mut state = State { trunk: trunk.clone(), peers: trunk.peers.iter().map(peer).collect(), registered, up: false };
        state.up = state.is_up();
        state
    }

    /// A trunk is up while one of its peers is, and while we are registered there if we are to be.
    fn is_up(&self) -> bool {
        let reachable = self.peers.is_empty() || self.peers.iter().any(|peer| peer.up);
        reachable && !self.trunk.unknown && self.registered.as_ref().is_none_or(|registered| registered.until.is_some())
    }

    fn next(&self) -> Option<Time> {
        let asks = self.trunk.health.is_some();
        let peers = self.peers.iter().filter(|_| asks).map(|peer| peer.due);
        let registered = self.registered.iter().flat_map(|own| [Some(own.due).filter(|_| !own.asked), own.until]).flatten();
        peers.chain(registered).min()
    }
}

#[derive(Debug, Default)]
pub struct Trunks {
    table: BTreeMap<Arc<str>, State>,
}

impl Trunks {
    /// Takes these trunks; what is known of one that stays as it was is kept. Of another it is the number of the last REGISTER, since
    /// its registrar may be the same.
    pub fn configure(&mut self, trunks: &[Trunk]) {
        let mut old = std::mem::take(&mut self.table);
        for trunk in trunks {
            let before = old.remove(&trunk.name);
            let said = before.as_ref().and_then(|state| state.registered.as_ref()).map_or(0, |own| own.cseq);
            let state = before.filter(|state| state.trunk == *trunk).unwrap_or_else(|| {
                let mut new = State::new(trunk);
                new.registered.iter_mut().for_each(|own| own.cseq = said);
                new
            });
            self.table.insert(trunk.name.clone(), state);
        }
    }

    /// Asks every registrar that may know us to forget us; true if there is any.
    pub fn leave(&mut self, now: Time) -> bool {
        for own in self.table.values_mut().filter_map(|state| state.registered.as_mut()) {
            if own.until.is_some() || own.asked {
                (own.stay, own.until, own.asked, own.due, own.seconds) = (Stay::Leaves, None, false, now, 0);
            }
        }
        self.is_leaving()
    }

    /// Whether a registrar has not answered yet that it has forgotten us.
    pub fn is_leaving(&self) -> bool {
        self.table.values().filter_map(|state| state.registered.as_ref()).any(|own| own.stay == Stay::Leaves)
    }

    pub fn get(&self, name: &str) -> Option<&Trunk> {
        self.table.get(name).map(|state| &state.trunk)
    }

    /// Each trunk, and whether it is up.
    pub fn states(&self) -> impl Iterator<Item = (&Arc<str>, bool)> {
        self.table.iter().map(|(name, state)| (name, state.up))
    }

    /// A trunk's peers in the order in which a call tries them: those that answer first.
    pub fn peers(&self, name: &str) -> Vec<Peer> {
        let Some(state) = self.table.get(name) else { return Vec::new() };
        let (up, down): (Vec<&PeerState>, Vec<&PeerState>) = state.peers.iter().partition(|peer| peer.up);
        up.into_iter().chain(down).map(|peer| peer.peer).collect()
    }

    pub fn next(&self) -> Option<Time> {
        self.table.values().filter_map(State::next).min()
    }

    /// What is to be asked now; and who has changed by not answering.
    pub fn due(&mut self, now: Time, changed: &mut Vec<(Arc<str>, bool)>) -> Vec<Errand> {
        let mut errands = Vec::new();
        for (name, state) in &mut self.table {
            if let Some((health, peers)) = state.trunk.health.map(|health| (health, &mut state.peers)) {
                for peer in peers.iter_mut().filter(|peer| peer.due <= now) {
                    // The question before has not been answered.
                    peer.misses += u32::from(peer.asked);
                    peer.up &= peer.misses < health.misses;
                    (peer.asked, peer.due) = (true, now + health.every);
                    errands.push(Errand::Options { trunk: name.clone(), peer: peer.peer });
                }
            }
            if let (Some(own), Some(wish)) = (&mut state.registered, &state.trunk.register) {
                if own.until.is_some_and(|until| until <= now) {
                    own.until = None;
                }
                if !own.asked && own.due <= now {
                    own.asked = true;
                    own.cseq += 1;
                    let (registration, seconds, cseq) = (wish.clone(), own.seconds, own.cseq);
                    errands.push(Errand::Register { trunk: name.clone(), registration, seconds, cseq });
                }
            }
            note(name, state, changed);
        }
        errands
    }

    /// A peer answered OPTIONS, or there is no way to it.
    pub fn heard(&mut self, name: &str, address: SocketAddr, outcome: Outcome, changed: &mut Vec<(Arc<str>, bool)>) {
        let Some((name, state)) = self.table.get_key_value(name).map(|(name, _)| name.clone()).zip(self.table.get_mut(name)) else {
            return;
        };
        let Some(peer) = state.peers.iter_mut().find(|peer| peer.peer.address == address) else { return };
        match outcome {
            Outcome::Answered(503) => (peer.up, peer.asked) = (false, false),
            Outcome::Answered(_) => (peer.up, peer.asked, peer.misses) = (true, false, 0),
            // Counted as a miss when the next question is due.
            _ => {}
        }
        note(&name, state, changed);
    }

    /// What came of a REGISTER, and the number of the last that was sent.
    pub fn registered(&mut self, now: Time, name: &str, cseq: u32, outcome: Outcome, changed: &mut Vec<(Arc<str>, bool)>) {
        let Some((name, state)) = self.table.get_key_value(name).map(|(name, _)| name.clone()).zip(self.table.get_mut(name)) else {
            return;
        };
        let Some(own) = &mut state.registered else { return };
        if own.stay != Stay::Stays {
            // What was asked before says nothing of it; nothing more is asked after it, whatever the answer.
            own.stay = if cseq < own.cseq { own.stay } else { Stay::Left };
            return note(&name, state, changed);
        }
        (own.asked, own.cseq) = (false, own.cseq.max(cseq));
        match outcome {
            Outcome::Registered(seconds) => {
                let granted = Duration::from_secs(seconds.into());
                own.failures = 0;
                own.until = Some(now + granted);
                own.due = now + (granted * 4 / 5).max(REFRESH_MIN);
            }
            Outcome::TooBrief(least) if least > own.seconds => (own.seconds, own.due) = (least, now),
            _ => {
                own.due = now + (BACK_OFF * 2u32.saturating_pow(own.failures.min(8))).min(BACK_OFF_MAX);
                own.failures += 1;
            }
        }
        note(&name, state, changed);
    }
}

fn note(name: &Arc<str>, state: &mut State, changed: &mut Vec<(Arc<str>, bool)>) {
    let up = state.is_up();
    if up != state.up {
        state.up = up;
        changed.push((name.clone(), up));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::api::{Health, Transport};

    fn at(seconds: u64) -> Time {
        Time(1_000_000_000) + Duration::from_secs(seconds)
    }

    fn peer(n: u8) -> Peer {
        Peer { address: SocketAddr::from(([192, 0, 2, n], 5060)), transport: Transport::Udp }
    }

    fn trunks(trunk: Trunk) -> Trunks {
        let mut trunks = Trunks::default();
        trunks.configure(&[Trunk { name: "t".into(), ..trunk }]);
        trunks
    }

    #[test]
    fn a_peer_is_down_after_its_misses_or_a_503_and_up_at_an_answer() {
        let health = Some(Health { every: Duration::from_secs(10), misses: 2 });
        let mut trunks = trunks(Trunk { peers: vec![peer(1), peer(2)], health, ..Trunk::default() });
        let mut changed = Vec::new();
        assert_eq!(trunks.due(at(0), &mut changed).len(), 2);
        assert_eq!(trunks.next(), Some(at(10)));
        trunks.heard("t", peer(2).address, Outcome::Answered(200), &mut changed);
        assert_eq!(trunks.due(at(10), &mut changed).len(), 2);
        trunks.heard("t", peer(2).address, Outcome::Answered(405), &mut changed);
        assert_eq!(trunks.peers("t"), [peer(1), peer(2)], "one miss is none");
        trunks.due(at(20), &mut changed);
        assert_eq!(trunks.peers("t"), [peer(2), peer(1)], "who answers is tried first");
        assert!(changed.is_empty(), "one peer is enough");
        trunks.heard("t", peer(2).address, Outcome::Answered(503), &mut changed);
        trunks.heard("t", peer(2).address, Outcome::Nothing, &mut changed);
        assert_eq!(changed, [("t".into(), false)]);
        trunks.heard("t", peer(1).address, Outcome::Answered(404), &mut changed);
        assert_eq!(changed, [("t".into(), false), ("t".into(), true)], "any answer is a sign of life");
    }

    #[test]
    fn a_registration_is_renewed_in_time_and_tried_again_later_and_later() {
        let register = Some(Registration { registrar: peer(9), domain: "carrier.example".to_string(), seconds: 600 });
        let mut trunks = trunks(Trunk { register, ..Trunk::default() });
        let mut changed = Vec::new();
        let cseq = |errands: Vec<Errand>| match &errands[..] {
            [Errand::Register { cseq, seconds, .. }] => (*cseq, *seconds),
            other => panic!("{other:?}"),
        };
        assert_eq!(cseq(trunks.due(at(0), &mut changed)), (1, 600));
        assert_eq!((trunks.next(), trunks.due(at(5), &mut changed)), (None, vec![]), "one at a time");
        // The second was the first with proof.
        trunks.registered(at(5), "t", 2, Outcome::Registered(100), &mut changed);
        assert_eq!((changed.pop(), trunks.next()), (Some(("t".into(), true)), Some(at(85))));
        assert_eq!(cseq(trunks.due(at(85), &mut changed)), (3, 600));
        trunks.registered(at(90), "t", 3, Outcome::Nothing, &mut changed);
        assert!(changed.is_empty(), "the one before still holds");
        assert_eq!(trunks.next(), Some(at(105)));
        assert!(trunks.due(at(105), &mut changed).is_empty());
        assert_eq!(changed.pop(), Some(("t".into(), false)), "it has run out");
        for (now, next) in [(120, 180), (180, 300), (300, 540)] {
            assert_eq!(trunks.next(), Some(at(now)));
            trunks.due(at(now), &mut changed);
            trunks.registered(at(now), "t", 0, Outcome::Answered(403), &mut changed);
            assert_eq!(trunks.next(), Some(at(next)));
        }
        trunks.due(at(540), &mut changed);
        trunks.registered(at(540), "t", 0, Outcome::TooBrief(900), &mut changed);
        assert_eq!(cseq(trunks.due(at(540), &mut changed)), (8, 900));
    }

    #[test]
    fn who_leaves_is_forgotten_once_and_registers_no_more() {
        let register = Some(Registration { registrar: peer(9), domain: "d".to_string(), seconds: 600 });
        let mut trunks = trunks(Trunk { register, ..Trunk::default() });
        let mut changed = Vec::new();
        assert!(!trunks.leave(at(0)), "nobody knows us yet");
        trunks.due(at(0), &mut changed);
        trunks.registered(at(0), "t", 1, Outcome::Registered(100), &mut changed);
        trunks.due(at(80), &mut changed);
        assert!(trunks.leave(at(81)));
        assert!(matches!(trunks.due(at(81), &mut changed)[..], [Errand::Register { seconds: 0, cseq: 3, .. }]));
        trunks.registered(at(81), "t", 2, Outcome::Registered(100), &mut changed);
        assert!(trunks.is_leaving(), "that was the answer to the one before");
        trunks.registered(at(81), "t", 4, Outcome::Registered(0), &mut changed);
        assert!(!trunks.is_leaving() && trunks.next().is_none() && trunks.due(at(900), &mut changed).is_empty());
    }

    #[test]
    fn a_trunk_that_is_known_by_another_address_registers_there_with_the_next_number() {
        let register = |n| Some(Registration { registrar: peer(n), domain: "d".to_string(), seconds: 600 });
        let trunk = |n| Trunk { name: "t".into(), register: register(n), ..Trunk::default() };
        let mut trunks = trunks(trunk(8));
        trunks.due(at(0), &mut Vec::new());
        trunks.configure(&[Trunk { register: None, unknown: true, ..trunk(8) }]);
        assert_eq!(trunks.states().map(|(_, up)| up).collect::<Vec<_>>(), [false], "without an address it is down");
        trunks.configure(&[trunk(9)]);
        let asked = trunks.due(at(1), &mut Vec::new());
        assert!(matches!(&asked[..], [Errand::Register { registration, .. }] if registration.registrar == peer(9)), "{asked:?}");
        trunks.configure(&[trunk(8)]);
        assert!(matches!(trunks.due(at(2), &mut Vec::new())[..], [Errand::Register { cseq: 2, .. }]));
    }

    #[test]
    fn a_trunk_that_stays_as_it_was_keeps_what_is_known_of_it() {
        let register = Some(Registration { registrar: peer(9), domain: "d".to_string(), seconds: 600 });
        let trunk = Trunk { name: "t".into(), register, ..Trunk::default() };
        let mut trunks = trunks(trunk.clone());
        let mut changed = Vec::new();
        trunks.due(at(0), &mut changed);
        trunks.registered(at(0), "t", 1, Outcome::Registered(600), &mut changed);
        trunks.configure(std::slice::from_ref(&trunk));
        assert_eq!(trunks.states().map(|(_, up)| up).collect::<Vec<_>>(), [true]);
        trunks.configure(&[Trunk { peers: vec![peer(1)], ..trunk }]);
        assert_eq!(trunks.states().map(|(_, up)| up).collect::<Vec<_>>(), [false]);
    }
}
