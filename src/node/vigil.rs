//! The watch over parties who have fallen silent: a telephone that lost its power says nothing, and its caller must not wait for it.

use super::switchboard::Switchboard;
use crate::model::LegId;

impl Switchboard {
    /// Nothing is heard of this leg's telephone: it is asked by SIP whether it is there. No answer is the leg's end, and the core decides
    /// what becomes of the other side; who answers is merely quiet, and is asked again if that goes on.
    pub(super) fn fell_silent(&mut self, leg: LegId) {
        let Some(dialog) = self.legs.get(leg).and_then(|entry| entry.dialog) else { return };
        tracing::debug!(%leg, "silent: asked whether it is there");
        self.endpoint.probe(self.clock.now(), dialog, &mut self.outputs);
    }
}
