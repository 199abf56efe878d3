//! What the dialogs and the registrar report: one arm a report.

use super::{Switchboard, local};
use crate::acd::{AgentState, Event};
use crate::leg::{Input, Leg, Order};
use crate::model::{AgentId, CallId, LegId, Phi};
use crate::node::legs::{Entry, Role};
use crate::sip::{self, DialogId};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

impl Switchboard {
    pub(super) fn reported(&mut self, report: sip::Report) {
        use sip::Report as R;
        match report {
            R::Incoming { dialog, who: sip::Caller::Station(user), to, sdp, source, .. } => {
                self.station_calls((dialog, source), &user, to, sdp)
            }
            R::Incoming { dialog, from, to, sdp, source, .. } => self.incoming((dialog, source), from, to, sdp),
            R::Cancelled { dialog } => self.dialog(dialog, Input::Cancelled),
            R::Acked { dialog, sdp } => self.dialog(dialog, Input::Acked { sdp: text(sdp) }),
            R::Alerting { dialog, sdp } => self.dialog(dialog, Input::Alerting { sdp: text(sdp) }),
            R::Established { dialog, sdp } => self.dialog(dialog, Input::Established { sdp: text(sdp) }),
            R::Refused { dialog, code } => self.dialog(dialog, Input::Refused { code }),
            R::Timeout { dialog } => self.dialog(dialog, Input::TimedOut),
            R::LateAnswer { dialog } => self.dialog(dialog, Input::LateAnswer),
            R::Reoffer { dialog, sdp } => self.dialog(dialog, Input::Reoffer { sdp: text(sdp) }),
            R::Ended { dialog, lost } => self.dialog(dialog, Input::Ended { lost }),
            // We send no re-INVITE of our own.
            R::ReofferAnswered { .. } | R::ReofferRefused { .. } | R::Glare { .. } => {}
            R::Digit { dialog, key } => {
                if let Some(leg) = self.legs.of_dialog(dialog) {
                    self.key(leg, key.0);
                }
            }
            R::Registered { user, fresh, .. } => {
                self.book.registered(&self.endpoint, &user);
                self.registered(&user, fresh);
            }
            R::Found { user } => self.registered(&user, false),
            R::TrunkState { name, up: true } => tracing::info!(trunk = &*name, "the trunk is up"),
            R::TrunkState { name, up: false } => tracing::error!(trunk = &*name, "the trunk is down"),
            R::Unregistered { user } => {
                self.book.registered(&self.endpoint, &user);
                if let Some(agent) = self.agent(&user).and_then(|station| self.worker_at(station)) {
                    self.events.push_back(Event::StationLost { agent });
                }
            }
        }
    }

    fn dialog(&mut self, dialog: DialogId, input: Input) {
        if let Some(leg) = self.legs.of_dialog(dialog) {
            self.tell(leg, input);
        }
    }

    fn incoming(&mut self, dialog: (DialogId, SocketAddr), from: Phi<String>, to: String, sdp: Option<Vec<u8>>) {
        let room = !self.draining && self.headroom.enough();
        let Some((call, leg, machine)) = self.take(dialog, sdp, room) else { return };
        if let Some(origin) = self.endpoint.origin(dialog.0) {
            self.book.invited(call, self.clock.now(), origin);
        }
        self.legs.insert(leg, Entry { machine, role: Role::Caller, dialog: Some(dialog.0) });
        self.events.push_back(Event::CallArrived { call, leg, from, to: Phi(to) });
    }

    /// Numbers for a call to us, and a leg for it; or it has been refused, for want of room or of a sound that both can speak.
    pub(in crate::node) fn take(
        &mut self,
        (dialog, source): (DialogId, SocketAddr),
        sdp: Option<Vec<u8>>,
        room: bool,
    ) -> Option<(CallId, LegId, Leg)> {
        let now = self.clock.now();
        let (call, leg) = (CallId(mint(&mut self.next_call)), LegId(mint(&mut self.next_leg)));
        let Some(address) = room.then(|| self.open(call, leg, Some(source))).flatten() else {
            self.refused += 1;
            self.endpoint.reject(now, dialog, 503, &mut self.outputs);
            return None;
        };
        match Leg::invited(local(leg, address), text(sdp).as_deref()) {
            Ok(machine) => Some((call, leg, machine)),
            Err(order) => {
                let Order::Reject { code } = order else { unreachable!("a leg that cannot be is rejected") };
                self.media.close(leg);
                self.endpoint.reject(now, dialog, code, &mut self.outputs);
                None
            }
        }
    }

    /// A leg's media, at an address of the party's own family where it is known; or a line for the person on call why there is none: at most
    /// one a second, whoever calls.
    pub(in crate::node) fn open(&mut self, call: CallId, leg: LegId, party: Option<SocketAddr>) -> Option<SocketAddr> {
        let opened = match party {
            Some(party) => self.media.open_towards(call, leg, party.ip()),
            None => self.media.open(call, leg),
        };
        match opened {
            Ok(address) => {
                self.sound.opened(call, leg);
                Some(address)
            }
            Err(error) => {
                if self.shortage.is_none_or(|last| last.elapsed() >= Duration::from_secs(1)) {
                    self.shortage = Some(Instant::now());
                    tracing::error!(%call, %error, "a call or an offer without media");
                }
                None
            }
        }
    }

    /// A station that registers anew logs its owner in, unless somebody else is logged in there or the owner works elsewhere; one that was
    /// lost is found by any registration. An agent who logged out stays so while the telephone only keeps its registration alive.
    fn registered(&mut self, user: &str, fresh: bool) {
        let Some(station) = self.agent(user) else { return };
        if let Some(agent) = self.worker_at(station).filter(|agent| !self.core.is_reachable(*agent)) {
            self.events.push_back(Event::StationFound { agent });
        }
        let agent = station;
        let nobody = self.core.agent_at(station).is_none();
        if fresh && nobody && self.core.agent_state(agent) == Some(AgentState::LoggedOut) {
            if self.core.station_of(agent) != station {
                self.events.extend([Event::AgentSeated { agent, station }, Event::StationFound { agent }]);
            }
            self.events.push_back(Event::AgentLoggedIn { agent });
            if self.ready_on_register {
                self.events.push_back(Event::AgentReady { agent });
            }
        }
    }

    fn agent(&self, user: &str) -> Option<AgentId> {
        let agent = AgentId(user.parse().ok()?);
        self.core.agent_state(agent).map(|_| agent)
    }
}

fn mint(next: &mut u64) -> u64 {
    *next += 1;
    *next - 1
}

fn text(sdp: Option<Vec<u8>>) -> Option<String> {
    sdp.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
