//! What stations dial: a code of the house, help, or a number that a rule lets out; nothing else leaves.

use super::legs::{Entry, Role};
use super::switchboard::Switchboard;
use crate::acd::{Event, LegEnd, Placed, Purpose};
use crate::config::outward::{Location, Route};
use crate::leg::code::Code;
use crate::leg::{self, Leg, Order};
use crate::model::{AgentId, CallId, Destination, LegId, Phi};
use crate::sip::{self, DialogId};
use std::net::SocketAddr;

/// What any emergency number is at the trunk.
const EMERGENCY: &str = "911";

impl Switchboard {
    /// A station calls. Toll fraud begins with a telephone that may dial what it likes: what no rule names is refused.
    pub(super) fn station_calls(&mut self, dialog: (DialogId, SocketAddr), user: &str, to: String, sdp: Option<Vec<u8>>) {
        let emergency = sip::EMERGENCY.contains(&&*to);
        let station = user.parse().map(AgentId).ok().filter(|station| self.core.agent_state(*station).is_some());
        let agent = station.and_then(|station| self.core.agent_at(station));
        let code = self.codes.plan.code(&to);
        let out = agent.is_some_and(|agent| self.outward.route(agent, &to).is_some());
        let Some(station) = station.filter(|_| emergency || code.is_some() || out) else {
            self.forbidden += 1;
            tracing::warn!(station = user, "dialled what no rule lets out: refused");
            return self.refuse_number(dialog, station, to, sdp);
        };
        // Nobody is refused help because we are about to stop; who goes home may log out while calls are let end.
        let welcome = emergency || !self.draining && (code.is_some() || !self.endpoint.draining());
        let Some((call, leg, machine)) = self.take(dialog, sdp, welcome) else { return };
        let entry = |role| Entry { machine, role, dialog: Some(dialog.0) };
        if let Some(code) = code {
            return self.serve_code((call, leg), station, code, entry(Role::Code), to);
        }
        if emergency {
            tracing::error!(%call, %station, "an emergency call from this station");
            self.emergencies.insert(leg, (call, station));
            self.calls_for_help += 1;
        }
        let (kind, agent) = if emergency { (Placed::Emergency, self.worker_at(station)) } else { (Placed::Outward, agent) };
        self.legs.insert(leg, entry(Role::Station));
        self.events.push_back(Event::CallPlaced { call, leg, agent, to: Phi(to), kind });
    }

    fn refuse_number(&mut self, dialog: (DialogId, SocketAddr), station: Option<AgentId>, to: String, sdp: Option<Vec<u8>>) {
        let quiet = self.draining || self.endpoint.draining() || sdp.is_none();
        let Some(station) = station.filter(|station| !quiet && !self.hears_a_refusal(*station)) else {
            return self.endpoint.reject(self.clock.now(), dialog.0, 403, &mut self.outputs);
        };
        if let Some((call, leg, machine)) = self.take(dialog, sdp, true) {
            self.say_refused((call, leg), station, Entry { machine, role: Role::Code, dialog: Some(dialog.0) }, to);
        }
    }

    /// The far side of a call that a station places.
    pub(super) fn dial_out(&mut self, leg: LegId, call: CallId, target: &Destination, purpose: Purpose) {
        let (Purpose::Placed(kind), Destination::Number(number)) = (purpose, target) else {
            unreachable!("the core dials agents, and what stations dial");
        };
        let (station, place) = self
            .emergencies
            .values()
            .find(|(own, _)| *own == call)
            .map_or((None, None), |(_, station)| (Some(*station), self.outward.locations.get(station).cloned()));
        let route = match kind {
            Placed::Emergency => self.outward.emergency.clone().map(|trunk| Route {
                trunk,
                number: EMERGENCY.into(),
                caller: place.as_ref().and_then(|place| place.callback.clone()).unwrap_or_default(),
            }),
            _ => self.core.own_call(call).and_then(|own| own.agent).and_then(|agent| self.outward.route(agent, &number.0)),
        };
        let (Some(route), Some(address)) = (route, self.open(call, leg, None)) else {
            if let Some(station) = station {
                tracing::error!(%call, %station, "the emergency call cannot go out");
            }
            self.media.close(leg);
            self.events.push_back(Event::LegEnded { leg, cause: LegEnd::Refused });
            return;
        };
        let mut orders = Vec::new();
        let machine = Leg::placed(super::switchboard::local(leg, address), &mut orders);
        self.legs.insert(leg, Entry { machine, role: Role::Far(call), dialog: None });
        for order in orders {
            match order {
                Order::Invite { sdp } => self.invite_far(leg, &route, sdp, place.as_ref()),
                other => self.carry_out(leg, other),
            }
        }
    }

    fn invite_far(&mut self, leg: LegId, route: &Route, sdp: String, place: Option<&Location>) {
        let caller = if route.caller.is_empty() { "anonymous".to_string() } else { route.caller.clone() };
        let invite = sip::Invite {
            from_user: caller,
            sdp: Some(sdp.into_bytes()),
            location: place.filter(|place| !place.civic.is_empty()).map(pidf),
            ..sip::Invite::to(sip::Target::Trunk { trunk: route.trunk.clone(), user: route.number.clone() })
        };
        match self.endpoint.invite(self.clock.now(), invite, &mut self.outputs) {
            Ok(dialog) => self.legs.set_dialog(leg, dialog),
            Err(sip::NotReachable) => self.tell(leg, leg::Input::TimedOut),
        }
    }

    /// It rings on the far side: so the station hears it ring.
    pub(super) fn far_rings(&mut self, call: CallId) {
        if let Some(station) = self.core.own_call(call).map(|own| own.station) {
            self.tell(station, leg::Input::FarRings);
        }
    }

    /// The far side is heard before it answers, by the station alone: what the trunk plays, or says instead of ringing.
    pub(super) fn far_is_audible(&mut self, call: CallId, far: LegId) {
        if let Some(station) = self.core.own_call(call).map(|own| own.station) {
            self.tell(station, leg::Input::FarAudible);
            self.media.hear(call, [(station, [far].into())].into(), None);
        }
    }

    /// An emergency call that reached nobody: the station is told what else to do.
    pub(super) fn say_no_emergency(&mut self, leg: LegId) {
        let Some((call, station)) = self.emergencies.get(&leg).copied() else { return };
        tracing::error!(%call, %station, "an emergency call reached nobody");
        self.legs.make_code(leg);
        self.begin_code((call, leg), station, Code::NoEmergency);
        self.tell(leg, leg::Input::Answer);
    }
}

/// A place as RFC 5139 and RFC 4119 write it; whose it is, it does not say.
fn pidf(place: &Location) -> String {
    let element = |(name, text): &(&'static str, String)| format!("<ca:{name}>{}</ca:{name}>", escaped(text));
    let civic: String = place.civic.iter().map(element).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:gp=\"urn:ietf:params:xml:ns:pidf:geopriv10\" xmlns:ca=\"urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr\" \
         entity=\"pres:station@careline\"><tuple id=\"station\"><status><gp:geopriv><gp:location-info><ca:civicAddress>{civic}\
         </ca:civicAddress></gp:location-info><gp:usage-rules/></gp:geopriv></status></tuple></presence>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_it_is_and_no_more() {
        let place = Location { civic: vec![("country", "US".into()), ("RD", "Oak & <Elm>".into())], callback: None };
        let text = pidf(&place);
        let civic = "<ca:civicAddress><ca:country>US</ca:country><ca:RD>Oak &amp; &lt;Elm&gt;</ca:RD></ca:civicAddress>";
        assert!(text.contains(civic), "{text}");
    }
}
