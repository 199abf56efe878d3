//! The agents as routing sees them: what each can serve, who is kept from them, and where they stand.

use super::agent::{Agent, AgentState};
use super::call::Place;
use super::checkpoint::Hold;
use super::config::{AgentConfig, ClassConfig, Config, Strategy};
use super::table::Table;
use crate::model::{AgentId, CallId, Class, Proficiency, QueueId, Requirement, RequirementClass, SkillId, Term, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{Index, IndexMut};

/// A position in [`Desks`]; never in any output, since it depends on the order in which agents came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat(pub u32);

/// What ranks a waiting call within its group, best first.
pub type Line = BTreeSet<(Class, Place, CallId)>;

#[derive(Clone, Debug)]
pub struct Desk {
    pub id: AgentId,
    pub agent: Agent,
    /// Still in the configuration.
    pub known: bool,
    pub queues: BTreeMap<QueueId, u8>,
    pub skills: BTreeMap<SkillId, Proficiency>,
    pub fits: Vec<Fit>,
    /// Queues that keep some who have a skill of this agent free.
    pub reserved_by: Vec<QueueId>,
    /// The groups that the agent can serve, in the order of their numbers.
    pub member: Vec<Member>,
    /// Listed among the ready of those groups.
    pub indexed: bool,
    /// Some queue asks for it.
    pub measured: bool,
    /// Share of the last 30 minutes on calls, in millionths, as of the last time the agent became ready.
    pub occupancy: u64,
    pub holds: Vec<Hold>,
    /// Calls kept for this agent alone.
    pub preferred: Line,
}

/// How an agent meets one requirement class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    pub meets: bool,
    pub prefers: bool,
    /// Has a scarce skill that the class does not need.
    pub kept: bool,
    /// Σ of the levels of the skills that the class names.
    pub skill: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub group: u32,
    /// The agent's own preference for the queue.
    pub preference: u8,
    pub fit: Fit,
}

impl Desk {
    pub fn new(id: AgentId) -> Desk {
        let agent = Agent {
            state: AgentState::LoggedOut,
            since: Time(0),
            next: None,
            own: Vec::new(),
            station: None,
            reachable: true,
            no_answers: 0,
            missed: VecDeque::new(),
            logged_in_at: Time(0),
            calls_since_login: 0,
            idle_since: Time(0),
            busy_from: None,
            busy: VecDeque::new(),
            wrapping: None,
        };
        Desk {
            id,
            agent,
            known: true,
            queues: BTreeMap::new(),
            skills: BTreeMap::new(),
            fits: Vec::new(),
            reserved_by: Vec::new(),
            member: Vec::new(),
            indexed: false,
            measured: false,
            occupancy: 0,
            holds: Vec::new(),
            preferred: Line::new(),
        }
    }

    /// Takes what the configuration says of this agent.
    pub fn configure(&mut self, own: &AgentConfig, config: &Config) {
        self.known = true;
        self.queues = own.queues.clone();
        self.skills = own.skills.clone();
        let reserve = |queue: &QueueId| config.queues.get(queue).and_then(|own| own.reserve);
        let reserved = |queue: &&QueueId| reserve(queue).is_some_and(|(skill, _)| self.skills.contains_key(&skill));
        self.reserved_by = self.queues.keys().filter(reserved).copied().collect();
        self.fits = config.classes.iter().map(|class| fit(&self.skills, class, config)).collect();
        self.measured = self.queues.keys().any(|q| config.queues.get(q).is_some_and(|queue| queue.strategy == Strategy::LeastOccupied));
    }

    /// Gone from the configuration: serves nothing any more. The desk stays for the day they return.
    pub fn retire(&mut self) {
        self.known = false;
        self.queues.clear();
        self.skills.clear();
        self.fits.clear();
        self.reserved_by.clear();
    }

    pub fn fit(&self, class: RequirementClass) -> Fit {
        self.fits.get(class.0 as usize).copied().unwrap_or_default()
    }
    pub fn is_held_from(&self, call: CallId) -> bool {
        self.holds.iter().any(|hold| hold.call == call)
    }
    pub fn member_of(&self, group: u32) -> Option<&Member> {
        self.member.binary_search_by_key(&group, |member| member.group).ok().map(|found| &self.member[found])
    }
    pub fn is_ready(&self) -> bool {
        self.agent.state == AgentState::Ready
    }
}

fn fit(skills: &BTreeMap<SkillId, Proficiency>, class: &ClassConfig, config: &Config) -> Fit {
    let level = |skill: SkillId| skills.get(&skill).copied();
    let named = |skill: &SkillId| class.needs.any_of.iter().flatten().any(|term| matches!(term, Term::AtLeast(s, _) if s == skill));
    let scarce = |skill: &SkillId| config.skills.get(skill).is_some_and(|own| own.scarce);
    Fit {
        meets: class.needs.met_by(level),
        prefers: class.prefers.as_ref().is_none_or(|preference| preference.met_by(level)),
        kept: skills.keys().any(|skill| scarce(skill) && !named(skill)),
        skill: skills.iter().filter(|(skill, _)| named(skill)).map(|(_, level)| u16::from(level.level())).sum(),
    }
}

/// Whether every alternative asks for `skill`, and for how much at least.
pub fn needs_skill(needs: &Requirement, skill: SkillId) -> Option<Proficiency> {
    let level = |terms: &Vec<Term>| {
        terms.iter().filter_map(|term| if let Term::AtLeast(s, least) = term { (*s == skill).then_some(*least) } else { None }).max()
    };
    needs.any_of.iter().map(level).min().flatten()
}

#[derive(Clone, Debug, Default)]
pub struct Desks {
    slots: Vec<Desk>,
    by_id: Table<AgentId, Seat>,
}

impl Desks {
    pub fn seat(&self, agent: AgentId) -> Option<Seat> {
        self.by_id.get(agent).copied()
    }
    pub fn by_id(&self, agent: AgentId) -> Option<&Desk> {
        self.seat(agent).map(|seat| &self[seat])
    }
    pub fn seats(&self) -> impl Iterator<Item = Seat> + use<> {
        (0..self.slots.len() as u32).map(Seat)
    }
    /// In the order of ids.
    pub fn sorted(&self) -> Vec<Seat> {
        let mut seats: Vec<Seat> = self.seats().collect();
        seats.sort_unstable_by_key(|seat| self[*seat].id);
        seats
    }
    pub fn iter(&self) -> impl Iterator<Item = &Desk> {
        self.slots.iter()
    }
    pub fn add(&mut self, id: AgentId) -> Seat {
        if let Some(seat) = self.seat(id) {
            return seat;
        }
        let seat = Seat(self.slots.len() as u32);
        self.slots.push(Desk::new(id));
        self.by_id.insert(id, seat);
        seat
    }
}

impl Index<Seat> for Desks {
    type Output = Desk;
    fn index(&self, seat: Seat) -> &Desk {
        &self.slots[seat.0 as usize]
    }
}

impl IndexMut<Seat> for Desks {
    fn index_mut(&mut self, seat: Seat) -> &mut Desk {
        &mut self.slots[seat.0 as usize]
    }
}
