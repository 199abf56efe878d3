//! A fault of the core's: what it could not bear did not happen, everything before it did, and whoever we hold stays.

use super::Switchboard;
use crate::acd::{Acd, Event};
use crate::leg::{Ending, Input};
use crate::model::{EdgeId, LegId};
use crate::node::legs::Role;
use crate::node::recover;
use std::any::Any;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

/// More faults than this within [`WITHIN`], and the state itself must be bad: the process ends, and its keeper starts it anew.
const MOST: usize = 5;
const WITHIN: Duration = Duration::from_secs(60);

impl Switchboard {
    /// Builds the core again as it was before the event that it could not bear; legs and music go on meanwhile. The event is set aside,
    /// sealed, with the state that it met.
    pub(super) fn recover(&mut self, name: &'static str, fault: Box<dyn Any + Send>) {
        let event = self.book.not_taken();
        self.faults.retain(|at| at.elapsed() < WITHIN);
        if self.faults.len() == MOST {
            tracing::error!(event = name, "the core fails again and again");
            resume_unwind(fault);
        }
        self.faults.push(Instant::now());
        self.core = match self.rebuilt() {
            Ok(core) => core,
            Err(error) => {
                tracing::error!(event = name, error, "the core has failed, and cannot be built again");
                resume_unwind(fault);
            }
        };
        self.sinks.recovered();
        match self.book.quarantine(&self.core, &self.endpoint, self.next_call, &event) {
            Ok(file) => tracing::error!(event = name, file = %file.display(), "the core has failed at an event and goes on without it"),
            Err(error) => {
                tracing::error!(event = name, error, "the core has failed at an event, which cannot be kept, and goes on without it")
            }
        }
        // After what is under way: a leg of which the core has yet to hear that it is gone is not held, and ends as it ended.
        self.events.push_back(Event::EdgeResumed { edge: EdgeId(0), legs: self.legs.ids() });
    }

    fn rebuilt(&self) -> Result<Acd, String> {
        let (path, key) = self.book.file().ok_or("the journal is not being written")?;
        recover::rebuild(path, key)
    }

    /// Lets go of callers of whom the core never heard: the event that brought them was the one.
    pub(super) fn end_unknown(&mut self) {
        let unknown: Vec<LegId> = self.legs.callers().into_iter().filter(|leg| !self.core.knows(*leg)).collect();
        for leg in unknown {
            self.tell(leg, Input::End(Ending::Done { code: 500 }));
        }
        for leg in self.legs.ids() {
            let offered = self.legs.get(leg).is_some_and(|entry| matches!(entry.role, Role::Offer(..)));
            if offered && !self.core.knows(leg) {
                self.tell(leg, Input::End(Ending::Withdrawn { elsewhere: false }));
            }
        }
    }
}
