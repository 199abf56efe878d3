//! What stations dial: a code of the house, or nothing that we let out.

use super::legs::{Entry, Role};
use super::switchboard::Switchboard;
use crate::leg::code::Code;
use crate::model::AgentId;
use crate::sip::DialogId;
use std::net::SocketAddr;

impl Switchboard {
    /// A station calls: a code is served, anything else is refused (toll fraud begins with a telephone that may dial what it likes).
    pub(super) fn station_calls(&mut self, dialog: (DialogId, SocketAddr), user: &str, to: String, sdp: Option<Vec<u8>>) {
        let station = user.parse().map(AgentId).ok().filter(|station| self.core.agent_state(*station).is_some());
        let (Some(station), Some(code)) = (station, Code::of(&to)) else {
            return self.endpoint.reject(self.clock.now(), dialog.0, 403, &mut self.outputs);
        };
        let Some((call, leg, machine)) = self.take(dialog, sdp, !self.draining) else { return };
        self.serve_code((call, leg), station, code, Entry { machine, role: Role::Code, dialog: Some(dialog.0) }, to);
    }
}
