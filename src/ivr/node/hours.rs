//! `hours`: goes by a calendar.

use crate::ivr::calendar::Hours as At;
use crate::ivr::scope::{How, Scope};
use crate::ivr::walk::{Next, Walk};
use crate::ivr::words::{StepName, StepOutcome};
use crate::model::schema::{Field, Kind, Reader, nearest_first};
use crate::model::tree::Node;
use std::sync::Arc;

pub const FIELDS: &[Field] = &[
    Field::required("calendar", Kind::Name, "a calendar of the configuration"),
    Field::required("open", Kind::Step, "where to go in opening hours"),
    Field::required("closed", Kind::Step, "where to go outside of them"),
    Field::optional("holiday", Kind::Step, "where to go on a holiday; otherwise as `closed`"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    pub calendar: Arc<str>,
    pub open: StepName,
    pub closed: StepName,
    pub holiday: StepName,
}

impl Hours {
    pub fn read(body: &Node, scope: &mut Scope) -> Option<Hours> {
        let reader = Reader::open(body, "hours", FIELDS, scope.problems)?;
        let mut target = |name: &str| reader.node(name).and_then(|node| scope.target(node, How::Alone, name));
        let (open, closed, holiday) = (target("open"), target("closed"), target("holiday"));
        let calendar = reader.text("calendar", scope.problems)?;
        if !scope.names.calendars.contains(calendar) {
            let at = reader.node("calendar").map_or(&body.at, |node| &node.at);
            let choices = nearest_first(calendar, scope.names.calendars.iter().map(|name| &**name));
            scope.choose(at, format!("there is no calendar `{calendar}`"), choices);
        }
        let closed = closed?;
        Some(Hours { calendar: calendar.into(), open: open?, holiday: holiday.unwrap_or_else(|| closed.clone()), closed })
    }

    /// A calendar that a reload took away is closed.
    pub fn enter(&self, walk: &mut Walk) -> Next {
        let hours = walk.calendars.get(&self.calendar).map_or(At::Closed, |calendar| calendar.hours(walk.now));
        let step = match hours {
            At::Open => &self.open,
            At::Closed => &self.closed,
            At::Holiday => &self.holiday,
        };
        Next::Go(step.clone(), StepOutcome::Done)
    }
}
