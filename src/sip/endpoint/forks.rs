//! One call to a user, however many telephones they have: all ring, and who answers first has it. To whoever asked it is one dialog.

use super::Endpoint;
use super::outward::Route;
use crate::model::Time;
use crate::sip::api::{DialogId, Flow, Invite, NotReachable, Output, Reason, Report};
use crate::sip::dialog::{Cancel, Stage};
use std::collections::BTreeMap;

/// The telephones that ring for one call.
#[derive(Debug)]
struct Fork {
    user: String,
    /// What they are asked.
    invite: Invite,
    /// All that were asked, by their contacts.
    asked: Vec<String>,
    /// No other is asked any more.
    given_up: bool,
    /// Each by its own dialog, and whether it alerts somebody.
    rings: BTreeMap<DialogId, bool>,
    /// The last word, or the answer, has been said: what else comes is nobody's business.
    told: bool,
    /// The most telling refusal so far.
    code: Option<u16>,
    /// Somebody answered after the call was given up.
    late: bool,
}

#[derive(Debug, Default)]
pub(super) struct Forks {
    calls: BTreeMap<DialogId, Fork>,
    /// Which call a telephone rings for.
    of: BTreeMap<DialogId, DialogId>,
}

/// What becomes of a report: what is said instead, if anything, and who need not ring any more.
type Heard = (Option<Report>, Vec<DialogId>, Option<Reason>);

impl Forks {
    fn hear(&mut self, report: Report) -> Heard {
        match report {
            Report::Established { dialog, .. } if self.calls.contains_key(&dialog) => {
                let others = self.calls[&dialog].rings.keys().copied().collect();
                self.tidy(dialog);
                (Some(report), others, Some(Reason::CompletedElsewhere))
            }
            Report::Alerting { dialog, sdp } if self.of.contains_key(&dialog) => {
                let head = self.of[&dialog];
                let fork = self.calls.get_mut(&head).expect("it rings for a call");
                fork.rings.insert(dialog, true);
                // Several telephones' early sound cannot all be heard.
                let sdp = sdp.filter(|_| fork.asked.len() == 1);
                ((!fork.told).then_some(Report::Alerting { dialog: head, sdp }), Vec::new(), None)
            }
            Report::Refused { dialog, code } if self.of.contains_key(&dialog) => self.ended(dialog, Some(code), false),
            Report::Timeout { dialog } if self.of.contains_key(&dialog) => self.ended(dialog, None, false),
            Report::LateAnswer { dialog } if self.of.contains_key(&dialog) => self.ended(dialog, None, true),
            other => (Some(other), Vec::new(), None),
        }
    }

    /// One telephone is out of it. A person's refusal is the user's: of whoever heard it ring while no other did, or a 6xx.
    fn ended(&mut self, dialog: DialogId, code: Option<u16>, late: bool) -> Heard {
        let head = self.of.remove(&dialog).expect("just seen");
        let fork = self.calls.get_mut(&head).expect("it rings for a call");
        let alerted = fork.rings.remove(&dialog).unwrap_or(false);
        fork.late |= late;
        fork.code = [fork.code, code].into_iter().flatten().max_by_key(|code| telling(*code));
        let refused = code.is_some_and(|code| code >= 600 || alerted && !fork.rings.values().any(|alerts| *alerts));
        let word = match (fork.late, fork.code) {
            _ if fork.told || !refused && !fork.rings.is_empty() => None,
            (true, _) => Some(Report::LateAnswer { dialog: head }),
            (false, Some(code)) => Some(Report::Refused { dialog: head, code }),
            (false, None) => Some(Report::Timeout { dialog: head }),
        };
        fork.told |= word.is_some();
        let others = if word.is_some() { fork.rings.keys().copied().collect() } else { Vec::new() };
        self.tidy(head);
        (word, others, None)
    }

    fn tidy(&mut self, head: DialogId) {
        if self.calls.get(&head).is_some_and(|fork| fork.rings.is_empty()) {
            self.calls.remove(&head);
        }
    }
}

/// How much a refusal says: one of the user before one of a telephone, a telephone's before nobody's.
fn telling(code: u16) -> u8 {
    match code {
        600.. => 4,
        486 => 3,
        408 | 480 | 487 => 1,
        _ => 2,
    }
}

impl Endpoint {
    /// Calls every telephone that a user has registered.
    pub(super) fn invite_all(&mut self, now: Time, user: String, invite: Invite, out: &mut Vec<Output>) -> Result<DialogId, NotReachable> {
        self.last_dialog += 1;
        let head = DialogId(self.last_dialog);
        let (asked, rings) = (Vec::new(), BTreeMap::new());
        let fork = Fork { user, invite, asked, given_up: false, rings, told: false, code: None, late: false };
        self.forks.calls.insert(head, fork);
        self.ring_all(now, head, out);
        if self.forks.calls[&head].rings.is_empty() {
            self.forks.calls.remove(&head);
            return Err(NotReachable);
        }
        Ok(head)
    }

    /// A telephone that registers while its user is called rings, too: the one that rang before may be dead.
    pub(super) fn ring_newcomers(&mut self, now: Time, user: &str, out: &mut Vec<Output>) {
        let open = self.forks.calls.iter().filter(|(_, fork)| fork.user == user && !fork.told && !fork.given_up);
        for head in open.map(|(head, _)| *head).collect::<Vec<_>>() {
            self.ring_all(now, head, out);
        }
    }

    /// Rings whichever of the user's telephones has not been asked.
    fn ring_all(&mut self, now: Time, head: DialogId, out: &mut Vec<Output>) {
        let Fork { user, invite, asked, .. } = &self.forks.calls[&head];
        let (user, invite) = (user.clone(), invite.clone());
        let fresh = self.registrar.bindings(&user).iter().filter(|binding| !asked.contains(&binding.uri));
        let fresh: Vec<(String, Flow)> = fresh.map(|binding| (binding.uri.clone(), binding.flow)).collect();
        for (uri, flow) in fresh {
            let route = Route::to_contact(&user, uri.clone(), flow);
            let Ok(ring) = self.invite_by(now, route, invite.clone(), out) else { continue };
            self.forks.of.insert(ring, head);
            let fork = self.forks.calls.get_mut(&head).expect("just seen");
            fork.rings.insert(ring, false);
            fork.asked.push(uri);
        }
    }

    /// A telephone has answered: if it is the first of its call, its dialog is the call's from now on.
    pub(super) fn first_answer(&mut self, ring: DialogId) -> DialogId {
        let Some(head) = self.forks.of.get(&ring).copied() else { return ring };
        self.settle_on_peer(ring, 200);
        let fork = self.forks.calls.get_mut(&head).expect("it rings for a call");
        let Some(Stage::Outgoing { invite, cancel: Cancel::No, .. }) = self.dialogs.get(&ring).map(|dialog| dialog.stage) else {
            return ring;
        };
        let dialog = self.dialogs.remove(&ring).expect("just seen");
        self.forks.of.remove(&ring);
        fork.rings.remove(&ring);
        fork.told = true;
        self.tags.insert(dialog.local_tag, head);
        self.clients.get_mut(invite).expect("it is being answered").dialog = Some(head);
        self.dialogs.insert(head, dialog);
        head
    }

    /// Gives up a call that rings at several telephones; false if this is none.
    pub(super) fn cancel_all(&mut self, now: Time, head: DialogId, reason: Option<Reason>, out: &mut Vec<Output>) -> bool {
        let Some(fork) = self.forks.calls.get_mut(&head).filter(|fork| !fork.told) else { return false };
        fork.given_up = true;
        for ring in fork.rings.keys().copied().collect::<Vec<_>>() {
            self.cancel(now, ring, reason, out);
        }
        true
    }

    /// Says of each call what is to be said of its telephones, in the outputs that were added since `from`.
    pub(super) fn join_forks(&mut self, now: Time, from: usize, out: &mut Vec<Output>) {
        let mut at = from;
        while at < out.len() && !self.forks.calls.is_empty() {
            let Output::Report(report) = &out[at] else {
                at += 1;
                continue;
            };
            let (said, others, reason) = self.forks.hear(report.clone());
            match said {
                Some(report) => {
                    out[at] = Output::Report(report);
                    at += 1;
                }
                None => drop(out.remove(at)),
            }
            for ring in others {
                self.cancel(now, ring, reason, out);
            }
        }
    }
}
