//! The node's book: what the core was told, written before what came of it leaves.

use crate::acd::{Acd, Command, Event};
use crate::model::{CallId, Sources, Time};
use crate::sip::{self, Endpoint, Flow, StationContact};
use crate::store::MasterKey;
use crate::store::journal::{Checkpoint, Contact, Invited, Journal, JournalStatus};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// An INVITE comes again for so long (RFC 3261 §17.1.1.2, timer B).
const AGAIN: Duration = Duration::from_secs(32);

pub struct Book {
    journal: Journal,
    sources: Arc<Sources>,
    /// The time around which the calendars are.
    configured_at: Time,
    /// What the next configuration is made of, until the core has it.
    next: Option<(Time, Option<Arc<Sources>>)>,
    /// The core is being told a configuration.
    configuring: bool,
    /// What the next calls began with, until the core has them.
    arriving: BTreeMap<CallId, Invited>,
    /// The INVITEs that became calls of late.
    invited: VecDeque<Invited>,
}

impl Book {
    /// `invited` is what the book before had of late.
    pub fn new(journal: Journal, (sources, configured_at): (Arc<Sources>, Time), invited: VecDeque<Invited>) -> Book {
        Book { journal, sources, configured_at, next: None, configuring: false, arriving: BTreeMap::new(), invited }
    }

    /// Begins the next file if it is time. While records are on their way to the disk it waits a little: a restart reads the newest file
    /// only, and must find in it every call whose record a crash may have taken.
    pub fn turn(&mut self, core: &Acd, endpoint: &Endpoint, next_call: u64, settled: impl FnOnce() -> bool) {
        if self.journal.is_due() && (self.journal.is_overdue() || settled()) {
            let invited = self.invited.iter().cloned().collect();
            let checkpoint = Checkpoint { invited, ..Book::checkpoint((&self.sources, self.configured_at), core, endpoint, next_call) };
            self.journal.begin(checkpoint);
        }
    }

    fn checkpoint<'a>((sources, configured_at): (&'a Sources, Time), core: &Acd, endpoint: &Endpoint, next_call: u64) -> Checkpoint<'a> {
        let mut contacts: Vec<(String, Vec<Contact>)> = Vec::new();
        for user in endpoint.users() {
            contacts.push((user.to_string(), contacts_of(endpoint, user)));
        }
        // At the core's own time: a deadline that is due but has not come must come at its time in a replay too.
        let (at, invited) = (core.time(), Vec::new());
        Checkpoint { at, next_call, sources, configured_at, contacts, invited, pieces: core.checkpoint() }
    }

    pub fn told(&mut self, at: Time, event: &Event) {
        self.configuring = matches!(event, Event::ConfigChanged(_));
        if let Some((at, sources)) = self.next.as_ref().filter(|_| self.configuring) {
            self.journal.configured(*at, sources.as_deref());
        }
        if let Event::CallArrived { call, .. } = event
            && let Some(invited) = self.arriving.remove(call)
        {
            forget(&mut self.invited, at);
            self.invited.push_back(invited.clone());
            self.journal.invited(invited);
        }
        self.journal.told(at, event);
    }

    pub fn taken(&mut self, commands: &[Command]) {
        if let Some((at, sources)) = self.next.take_if(|_| self.configuring) {
            self.configured_at = at;
            self.sources = sources.unwrap_or_else(|| self.sources.clone());
        }
        self.journal.taken(commands.iter().filter(|command| matches!(command, Command::Note { .. })).count() as u64);
    }

    /// The next configuration that the core is told has its calendars around `at`, and its sources if they are others.
    pub fn configured(&mut self, at: Time, sources: Option<Arc<Sources>>) {
        self.next = Some((at, sources));
    }

    /// A station registered, or its registration ended.
    pub fn registered(&mut self, endpoint: &Endpoint, user: &str) {
        self.journal.contacts(user, contacts_of(endpoint, user));
    }

    /// A call that the core is going to be told began with this INVITE.
    pub fn invited(&mut self, call: CallId, at: Time, origin: sip::Origin) {
        let sip::Origin { call_id, from_tag, cseq } = origin;
        self.arriving.insert(call, Invited { at, call_id, from_tag, cseq });
    }

    /// Takes back what the core could not bear, as it was written.
    pub fn not_taken(&mut self) -> Vec<u8> {
        self.next.take_if(|_| self.configuring);
        self.journal.not_taken()
    }

    /// Keeps it for whoever mends it, after the state that it met.
    pub fn quarantine(&self, core: &Acd, endpoint: &Endpoint, next_call: u64, event: &[u8]) -> Result<PathBuf, String> {
        let checkpoint = Book::checkpoint((&self.sources, self.configured_at), core, endpoint, next_call);
        self.journal.quarantine(checkpoint, event)
    }

    /// The file being written and what opens it; `None` while it cannot be written.
    pub fn file(&self) -> Option<(&Path, &MasterKey)> {
        self.journal.path().map(|path| (path, self.journal.key()))
    }

    pub fn status(&self) -> JournalStatus {
        self.journal.status()
    }

    pub fn close(self) {
        self.journal.close();
    }
}

/// Drops the INVITEs that cannot come again.
pub fn forget(invited: &mut VecDeque<Invited>, now: Time) {
    while invited.front().is_some_and(|first| now.since(first.at) > AGAIN) {
        invited.pop_front();
    }
}

fn contacts_of(endpoint: &Endpoint, user: &str) -> Vec<Contact> {
    let udp = endpoint.registrations(user).filter(|one| one.flow.transport == sip::Transport::Udp);
    udp.map(|one| Contact {
        uri: one.uri,
        local: one.flow.local,
        remote: one.flow.remote,
        expires: one.expires,
        call_id: one.call_id,
        cseq: one.cseq,
        instance: one.instance,
    })
    .collect()
}

/// A registration of the process before, if it came over a socket that this one has too.
pub fn registration(contact: Contact, local: &[std::net::SocketAddr]) -> Option<StationContact> {
    let Contact { uri, local: at, remote, expires, call_id, cseq, instance } = contact;
    let flow = Flow { local: at, remote, transport: sip::Transport::Udp };
    local.contains(&at).then_some(StationContact { uri, flow, expires, call_id, cseq, instance })
}
