//! The addresses of trunks that are known by name. Asking may take as long as the network likes: a thread of its own asks, and what it
//! learns comes to the loop like any other message.

use super::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tokio::sync::mpsc;

/// How often every name is asked for anew, and how often while one is unknown. The system's resolver does not tell for how long its answer
/// holds.
const RENEW_EVERY: Duration = Duration::from_secs(60);
const TRY_EVERY: Duration = Duration::from_secs(5);

/// What each name led to when it was last known: one that is not found any more keeps its addresses, since the carrier is likelier there
/// than nowhere.
pub type Addresses = BTreeMap<Arc<str>, Vec<IpAddr>>;

/// Whoever asks, who ends with their owner; and what was last told.
pub struct Names {
    wanted: Sender<BTreeSet<Arc<str>>>,
    pub known: Addresses,
}

impl Names {
    pub fn start(inbox: mpsc::WeakSender<Message>, names: BTreeSet<Arc<str>>) -> Result<Names, String> {
        let (wanted, asked) = channel::<BTreeSet<Arc<str>>>();
        let ask = move || {
            let (mut names, mut known) = (BTreeSet::new(), Addresses::new());
            loop {
                let all = names.iter().all(|name| known.contains_key(name));
                match asked.recv_timeout(if all { RENEW_EVERY } else { TRY_EVERY }) {
                    Ok(wanted) => names = wanted,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                let changed = look_up(&names, &mut known, system);
                let Some(inbox) = inbox.upgrade() else { return };
                if changed && inbox.blocking_send(Message::Names(known.clone())).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("names".into()).spawn(ask).map_err(|error| format!("thread: {error}"))?;
        let started = Names { wanted, known: Addresses::new() };
        started.want(names);
        Ok(started)
    }

    /// These are the names from now on.
    pub fn want(&self, names: BTreeSet<Arc<str>>) {
        // Fails only when the loop that it would tell has ended.
        let _ = self.wanted.send(names);
    }
}

fn system(name: &str) -> Vec<IpAddr> {
    (name, 0).to_socket_addrs().map(|found| found.map(|address| address.ip().to_canonical()).collect()).unwrap_or_default()
}

/// Asks for each; true if anything is other than it was. Resolvers shuffle their answers: here they are in order.
fn look_up(names: &BTreeSet<Arc<str>>, known: &mut Addresses, ask: impl Fn(&str) -> Vec<IpAddr>) -> bool {
    let before = known.clone();
    known.retain(|name, _| names.contains(name));
    for name in names {
        let found: BTreeSet<IpAddr> = ask(name).into_iter().collect();
        if found.is_empty() {
            tracing::error!(name = &**name, "no address is found for this name of a trunk");
        } else {
            known.insert(name.clone(), found.into_iter().collect());
        }
    }
    *known != before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learnt_is_told_once_and_kept_while_nobody_knows_better() {
        let at = |last: u8| IpAddr::from([192, 0, 2, last]);
        let (names, mut known) = (BTreeSet::from(["carrier.example".into()]), Addresses::new());
        assert!(!look_up(&names, &mut known, |_| Vec::new()) && known.is_empty());
        assert!(look_up(&names, &mut known, |_| vec![at(8), at(7)]));
        assert_eq!(known["carrier.example"], [at(7), at(8)]);
        assert!(!look_up(&names, &mut known, |_| vec![at(7), at(8)]), "the same in another order");
        assert!(!look_up(&names, &mut known, |_| Vec::new()), "a resolver that fails");
        assert!(look_up(&names, &mut known, |_| vec![at(9)]));
        assert!(look_up(&BTreeSet::new(), &mut known, |_| vec![at(9)]) && known.is_empty());
    }
}
