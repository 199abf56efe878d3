//! Who is registered, where, over which flow, until when (RFC 3261 §10).

use super::api::{Flow, Transport};
use crate::model::Time;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// One contact of one user. Requests to it go over the flow that it was registered on, never to a resolved name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub uri: String,
    pub flow: Flow,
    pub expires: Time,
    pub call_id: Vec<u8>,
    pub cseq: u32,
    /// `+sip.instance`, if the station gives one: a new contact of the same station replaces the old one.
    pub instance: Option<Vec<u8>>,
    id: u64,
}

/// A contact as a REGISTER asks for it; zero seconds removes it.
#[derive(Clone, Debug)]
pub struct Wish {
    pub uri: String,
    pub seconds: u32,
    pub instance: Option<Vec<u8>>,
}

/// Why a REGISTER changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Older than what the same station sent before (§10.3 step 7).
    OutOfOrder,
    TooMany,
}

#[derive(Debug, Default)]
pub struct Registrar {
    users: BTreeMap<Arc<str>, Vec<Binding>>,
    /// How many bindings live on each flow: what comes over such a flow is a station's.
    flows: HashMap<(Transport, SocketAddr), u32>,
    due: BTreeMap<(Time, u64), Arc<str>>,
    last_id: u64,
}

impl Registrar {
    pub fn is_station(&self, flow: &Flow) -> bool {
        self.flows.contains_key(&(flow.transport, flow.remote))
    }

    /// Whether a registration lives at this address, over any flow.
    pub fn is_host(&self, source: IpAddr) -> bool {
        self.flows.keys().any(|(_, remote)| remote.ip().to_canonical() == source.to_canonical())
    }

    /// Whose registrations a flow carries.
    pub fn users_on(&self, flow: &Flow) -> impl Iterator<Item = &str> {
        let on_it = |held: &[Binding]| held.iter().any(|b| b.flow.transport == flow.transport && b.flow.remote == flow.remote);
        self.users.iter().filter(move |(_, held)| on_it(held)).map(|(user, _)| &**user)
    }

    /// Whose registration a flow carries: the claimed user's if it is there, else anybody's.
    pub fn user_of(&self, flow: &Flow, claimed: &str) -> Option<&str> {
        let on_it = |held: &[Binding]| held.iter().any(|b| b.flow.transport == flow.transport && b.flow.remote == flow.remote);
        if !self.is_station(flow) {
            return None;
        }
        let known = self.users.get_key_value(claimed).filter(|(_, held)| on_it(held));
        known.or_else(|| self.users.iter().find(|(_, held)| on_it(held))).map(|(user, _)| &**user)
    }

    /// The user's bindings, the oldest first.
    pub fn bindings(&self, user: &str) -> &[Binding] {
        self.users.get(user).map_or(&[], Vec::as_slice)
    }

    /// Where to ring the user: the contact registered last.
    pub fn newest(&self, user: &str) -> Option<&Binding> {
        self.bindings(user).last()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.users.keys().map(|user| &**user)
    }

    pub fn users(&self) -> usize {
        self.users.len()
    }

    pub fn next(&self) -> Option<Time> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Applies one REGISTER, all of it or nothing; the flows over which its contacts were registered before.
    pub fn register(&mut self, now: Time, user: &str, from: (Flow, &[u8], u32), wishes: &[Wish], most: usize) -> Result<Vec<Flow>, Denied> {
        let (flow, call_id, cseq) = from;
        let held = self.bindings(user);
        let touched = |binding: &Binding| wishes.iter().any(|wish| same_contact(binding, wish));
        if held.iter().any(|b| touched(b) && b.call_id == call_id && b.cseq >= cseq) {
            return Err(Denied::OutOfOrder);
        }
        let added = wishes.iter().filter(|wish| wish.seconds > 0).count();
        if held.iter().filter(|b| !touched(b)).count() + added > most {
            return Err(Denied::TooMany);
        }
        let before = held.iter().filter(|b| touched(b)).map(|b| b.flow).collect();
        for wish in wishes {
            self.remove_where(user, |binding| same_contact(binding, wish));
            if wish.seconds > 0 {
                let expires = now + std::time::Duration::from_secs(wish.seconds.into());
                self.add(user, |id| Binding {
                    uri: wish.uri.clone(),
                    flow,
                    expires,
                    call_id: call_id.to_vec(),
                    cseq,
                    instance: wish.instance.clone(),
                    id,
                });
            }
        }
        Ok(before)
    }

    /// `Contact: *`; true if there was any.
    pub fn clear(&mut self, user: &str) -> bool {
        self.remove_where(user, |_| true)
    }

    /// Forgets what has expired; the users who then have no contact left.
    pub fn expire(&mut self, now: Time) -> Vec<String> {
        let mut gone = Vec::new();
        while let Some(((at, id), user)) = self.due.first_key_value().map(|(key, user)| (*key, user.clone())) {
            if at > now {
                break;
            }
            self.remove_where(&user, |binding| binding.id == id);
            if !self.users.contains_key(&user) {
                gone.push(user.to_string());
            }
        }
        gone
    }

    /// A connection is gone, and with it what was registered over it; the users who then have no contact left.
    pub fn drop_flow(&mut self, flow: &Flow) -> Vec<String> {
        if !self.is_station(flow) {
            return Vec::new();
        }
        let users: Vec<Arc<str>> = self.users.keys().cloned().collect();
        let on_it = |binding: &Binding| binding.flow.transport == flow.transport && binding.flow.remote == flow.remote;
        users
            .into_iter()
            .filter(|user| self.remove_where(user, on_it) && !self.users.contains_key(user))
            .map(|user| user.to_string())
            .collect()
    }

    fn add(&mut self, user: &str, binding: impl FnOnce(u64) -> Binding) {
        self.last_id += 1;
        let binding = binding(self.last_id);
        let user: Arc<str> = self.users.get_key_value(user).map_or_else(|| user.into(), |(user, _)| user.clone());
        *self.flows.entry((binding.flow.transport, binding.flow.remote)).or_insert(0) += 1;
        self.due.insert((binding.expires, binding.id), user.clone());
        self.users.entry(user).or_default().push(binding);
    }

    fn remove_where(&mut self, user: &str, mut gone: impl FnMut(&Binding) -> bool) -> bool {
        let Some(held) = self.users.get_mut(user) else { return false };
        let before = held.len();
        let (flows, due) = (&mut self.flows, &mut self.due);
        held.retain(|binding| {
            let goes = gone(binding);
            if goes {
                due.remove(&(binding.expires, binding.id));
                let key = (binding.flow.transport, binding.flow.remote);
                let count = flows.get_mut(&key).expect("every binding is counted");
                *count -= 1;
                if *count == 0 {
                    flows.remove(&key);
                }
            }
            !goes
        });
        let removed = held.len() < before;
        if held.is_empty() {
            self.users.remove(user);
        }
        removed
    }
}

fn same_contact(binding: &Binding, wish: &Wish) -> bool {
    binding.uri == wish.uri || binding.instance.is_some() && binding.instance == wish.instance
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(port: u16) -> Flow {
        Flow::udp("127.0.0.1:5060".parse().unwrap(), SocketAddr::new("127.0.0.1".parse().unwrap(), port))
    }

    fn wish(uri: &str, seconds: u32) -> Wish {
        Wish { uri: uri.to_string(), seconds, instance: None }
    }

    const T: Time = Time(1_000_000_000);

    #[test]
    fn a_binding_lives_until_it_expires() {
        let mut registrar = Registrar::default();
        registrar.register(T, "1001", (flow(5071), b"a", 1), &[wish("sip:1001@x", 60)], 2).unwrap();
        assert!(registrar.is_station(&flow(5071)) && !registrar.is_station(&flow(5072)));
        let later = T + std::time::Duration::from_secs(30);
        registrar.register(later, "1001", (flow(5071), b"a", 2), &[wish("sip:1001@x", 60)], 2).unwrap();
        assert_eq!(registrar.bindings("1001").len(), 1);
        assert!(registrar.expire(T + std::time::Duration::from_secs(89)).is_empty());
        assert_eq!(registrar.next(), Some(T + std::time::Duration::from_secs(90)));
        assert_eq!(registrar.expire(T + std::time::Duration::from_secs(90)), ["1001"]);
        assert!(!registrar.is_station(&flow(5071)) && registrar.next().is_none() && registrar.users() == 0);
    }

    #[test]
    fn order_limits_removal_and_lost_connections() {
        let mut registrar = Registrar::default();
        registrar.register(T, "1001", (flow(1), b"a", 5), &[wish("sip:a", 60)], 2).unwrap();
        assert_eq!(registrar.register(T, "1001", (flow(1), b"a", 5), &[wish("sip:a", 0)], 2), Err(Denied::OutOfOrder));
        registrar.register(T, "1001", (flow(2), b"b", 1), &[wish("sip:b", 60)], 2).unwrap();
        assert_eq!(registrar.newest("1001").unwrap().uri, "sip:b");
        assert_eq!(registrar.register(T, "1001", (flow(3), b"c", 1), &[wish("sip:c", 60)], 2), Err(Denied::TooMany));
        registrar.register(T, "1001", (flow(2), b"b", 2), &[wish("sip:b", 0)], 2).unwrap();
        assert_eq!(registrar.newest("1001").unwrap().uri, "sip:a");
        assert_eq!(registrar.drop_flow(&flow(1)), ["1001"]);
        registrar.register(T, "1001", (flow(1), b"d", 1), &[wish("sip:a", 60)], 2).unwrap();
        registrar.clear("1001");
        assert!(registrar.bindings("1001").is_empty() && registrar.next().is_none());
    }

    #[test]
    fn a_station_that_moves_replaces_itself() {
        let mut registrar = Registrar::default();
        let mine = |uri: &str| Wish { instance: Some(b"<urn:uuid:1>".to_vec()), ..wish(uri, 60) };
        registrar.register(T, "1001", (flow(1), b"a", 1), &[mine("sip:a")], 2).unwrap();
        registrar.register(T, "1001", (flow(2), b"b", 1), &[mine("sip:b")], 2).unwrap();
        assert_eq!(registrar.bindings("1001").len(), 1);
        assert!(!registrar.is_station(&flow(1)) && registrar.is_station(&flow(2)));
    }
}
