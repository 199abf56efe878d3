//! Registrations out of one process and into the next: the stations notice nothing.

use super::Endpoint;
use crate::model::Time;
use crate::sip::api::StationContact;
use crate::sip::registrar::Wish;

impl Endpoint {
    /// Who is registered.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.registrar.names()
    }

    /// Where a user can be rung, the oldest registration first.
    pub fn registrations(&self, user: &str) -> impl Iterator<Item = StationContact> + '_ {
        self.registrar.bindings(user).iter().map(|binding| StationContact {
            uri: binding.uri.clone(),
            flow: binding.flow,
            expires: binding.expires,
            call_id: binding.call_id.clone(),
            cseq: binding.cseq,
            instance: binding.instance.clone(),
        })
    }

    /// Takes a registration of the process before, unless it has expired or the user is no longer one; true if it is in force.
    pub fn restore(&mut self, now: Time, user: &str, registration: StationContact) -> bool {
        let StationContact { uri, flow, expires, call_id, cseq, instance } = registration;
        let seconds = u32::try_from(expires.since(now).as_secs()).unwrap_or(u32::MAX);
        if seconds == 0 || !self.settings.users.contains_key(user) {
            return false;
        }
        let wish = Wish { uri, seconds, instance };
        self.registrar.register(now, user, (flow, &call_id, cseq), &[wish], self.settings.limits.contacts).is_ok()
    }
}
