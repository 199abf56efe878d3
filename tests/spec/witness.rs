//! The witness: watches events and commands from outside the core, and objects to what no state invariant can see.
//!
//! Rule 7, order: no offer passes over a waiting call of better rank that the agent could serve, unless a named hold keeps those two
//! apart at that moment. Rule 8: one disposition and one record a call, and nothing after. Rule 9: every offer ends once.

use crate::ledger::Ledger;
use careline::acd::call::{Place, Stage};
use careline::acd::fact::OfferOutcome;
use careline::acd::{AgentState, Command, Config, Event, Fact, Figures, WithdrawWhy};
use careline::ivr::node::Verb;
use careline::model::{AgentId, CallId, Class, PhoneNumber, QueueId, RequirementClass, Term, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A stay in a queue, as the facts told it.
#[derive(Clone, Debug)]
pub struct Stay {
    pub needs: RequirementClass,
    pub class: Class,
    pub place: Place,
    pub stage: Stage,
    pub entered_at: Time,
}

/// What the configuration says of a caller's number and flow.
#[derive(Clone, Debug)]
struct Caller {
    from: PhoneNumber,
    /// Arrival, and arrival minus each credit that the flow gives.
    places: Vec<Place>,
    /// The flow keeps the call for one agent so long.
    agent_first: Duration,
}

/// What ranks a waiting call for one agent; less is served first.
type Rank = (Class, u8, bool, Place, CallId);

#[derive(Clone)]
pub struct Witness {
    config: Config,
    ledger: Ledger,
    stays: BTreeMap<(CallId, QueueId), Stay>,
    agents: BTreeMap<AgentId, (AgentState, Time)>,
    /// Refused: kept apart until then.
    held: BTreeMap<(AgentId, CallId), Time>,
    /// We could not place its offer: kept from everybody until then.
    paused: BTreeMap<CallId, Time>,
    /// The configuration that is in force from then on.
    coming: Option<(Time, Box<Config>)>,
    /// Callers who spoke to an agent before: their calls may be kept for that agent.
    returning: BTreeSet<PhoneNumber>,
    callers: BTreeMap<CallId, Caller>,
}

impl Witness {
    pub fn new(config: Config) -> Witness {
        let ledger = Ledger::default();
        let (stays, agents, held, paused) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Witness { config, ledger, stays, agents, held, paused, coming: None, returning: BTreeSet::new(), callers: BTreeMap::new() }
    }

    /// Before the core hears it.
    pub fn told(&mut self, now: Time, event: &Event) {
        self.reload_by(Time(u64::MAX));
        match event {
            // What was due before is still done as it was.
            Event::ConfigChanged(config) => self.coming = Some((now, config.clone())),
            Event::CallArrived { call, from, to, .. } => {
                let caller = self.caller(now, from, to);
                self.callers.insert(*call, caller);
            }
            _ => {}
        }
        self.ledger.told(now, event);
    }

    fn reload_by(&mut self, at: Time) {
        if let Some((_, config)) = self.coming.take_if(|(from, _)| *from <= at) {
            self.reload(&config);
        }
    }

    /// A queue that is taken from the configuration serves who waits, by those who served it.
    fn reload(&mut self, config: &Config) {
        let before = std::mem::replace(&mut self.config, config.clone());
        let gone = before.queues.into_iter().filter(|(id, _)| !config.queues.contains_key(id));
        for (id, queue) in gone.filter(|(id, _)| self.stays.keys().any(|(_, queue)| queue == id)).collect::<Vec<_>>() {
            self.config.queues.insert(id, queue);
            for (agent, settings) in &mut self.config.agents {
                let preference = before.agents.get(agent).and_then(|before| before.queues.get(&id));
                settings.queues.extend(preference.map(|preference| (id, *preference)));
            }
        }
    }

    fn caller(&self, now: Time, from: &PhoneNumber, to: &PhoneNumber) -> Caller {
        let flow = self.config.numbers.get(to.0.as_str()).and_then(|number| self.config.flows.get(&number.flow));
        let steps = || {
            flow.into_iter()
                .flat_map(|flow| flow.steps.values())
                .filter_map(|verb| if let Verb::Queue(step) = verb { Some(step) } else { None })
        };
        let places = steps().map(|step| Place((now - step.credit).0)).chain([Place(now.0)]).collect();
        let agent_first = steps().filter_map(|step| step.agent_first).map(|(_, span)| span).max().unwrap_or_default();
        Caller { from: from.clone(), places, agent_first }
    }

    pub fn saw(&mut self, command: &Command) {
        self.ledger.saw(command);
        if let Command::Note { at, fact, .. } = command {
            self.reload_by(*at);
            self.noted(*at, fact);
        }
    }

    fn noted(&mut self, at: Time, fact: &Fact) {
        match fact {
            Fact::VisitEntered { call, queue, needs, class, place, .. } => {
                self.place_is_right(*call, *place);
                let stay = Stay { needs: *needs, class: *class, place: *place, stage: Stage::Waiting, entered_at: at };
                assert!(self.stays.insert((*call, *queue), stay).is_none(), "call {call} is in queue {queue} twice");
            }
            Fact::VisitStage { call, queue, from, to, .. } => {
                let stay = self.stay(*call, *queue);
                assert_eq!(stay.stage, *from, "call {call} in queue {queue}");
                stay.stage = *to;
            }
            Fact::VisitRanked { call, queue, needs, class } => {
                let stay = self.stay(*call, *queue);
                assert!(*class <= stay.class, "the class of call {call} falls");
                (stay.needs, stay.class) = (*needs, *class);
            }
            Fact::VisitEnded { call, queue, stage, entered_at, .. } => {
                let stay = self.stays.remove(&(*call, *queue)).expect("a visit that ends was entered");
                assert_eq!((stay.stage, stay.entered_at), (*stage, *entered_at), "the end of call {call} in queue {queue}");
            }
            Fact::OfferMade { call, queue: Some(queue), agent, .. } => self.nobody_is_passed_over(at, *call, *queue, *agent),
            Fact::OfferEnded { call, outcome: OfferOutcome::Withdrawn(WithdrawWhy::Shortage), .. } => {
                self.paused.insert(*call, at + Duration::from_secs(1));
            }
            Fact::Held { agent, call, until, .. } => {
                assert!(*until > at, "a hold of no length: {agent} and {call}");
                self.held.insert((*agent, *call), *until);
            }
            Fact::Agent { agent, from, to, since } => {
                let (state, began) = self.agents.get(agent).copied().unwrap_or((AgentState::LoggedOut, *since));
                assert_eq!((same(state), began), (same(*from), *since), "the state that agent {agent} leaves");
                if let AgentState::Talking(call) = to {
                    self.returning.extend(self.callers.get(call).map(|caller| caller.from.clone()));
                }
                self.agents.insert(*agent, (*to, at));
            }
            Fact::CallEnded { call, .. } => {
                assert!(!self.stays.keys().any(|(other, _)| other == call), "call {call} ends in a queue");
                self.held.retain(|(_, other), _| other != call);
                self.paused.remove(call);
                self.callers.remove(call);
            }
            _ => {}
        }
    }

    /// Arrival minus credit: nothing that happens on the way changes it.
    fn place_is_right(&self, call: CallId, place: Place) {
        assert!(self.callers[&call].places.contains(&place), "call {call} stands where neither its arrival nor its credit puts it");
        for ((other, queue), stay) in self.stays.range((call, QueueId(0))..=(call, QueueId(u64::MAX))) {
            assert_eq!(stay.place, place, "call {other} has another place in queue {queue}");
        }
    }

    fn stay(&mut self, call: CallId, queue: QueueId) -> &mut Stay {
        self.stays.get_mut(&(call, queue)).unwrap_or_else(|| panic!("call {call} is not in queue {queue}"))
    }

    /// Whether a call waits in this queue and rings through no other.
    fn waits(&self, call: CallId, stay: &Stay) -> bool {
        let mut stays = self.stays.range((call, QueueId(0))..=(call, QueueId(u64::MAX)));
        stay.stage == Stage::Waiting && stays.all(|(_, other)| other.stage == Stage::Waiting)
    }

    fn rank(&self, call: CallId, queue: QueueId, stay: &Stay, agent: AgentId) -> Option<Rank> {
        let config = self.config.agents.get(&agent)?;
        let preference = *config.queues.get(&queue)?;
        let class = &self.config.classes[usize::from(stay.needs.0)];
        let able = class.needs.met_by(|skill| config.skills.get(&skill).copied());
        able.then(|| (stay.class, preference, !self.needs_scarce(stay.needs), stay.place, call))
    }

    /// Whether nobody without a scarce skill could serve it.
    fn needs_scarce(&self, class: RequirementClass) -> bool {
        let scarce = |term: &Term| matches!(term, Term::AtLeast(skill, _) if self.config.skills.get(skill).is_some_and(|s| s.scarce));
        let any_of = &self.config.classes[usize::from(class.0)].needs.any_of;
        !any_of.is_empty() && any_of.iter().all(|terms| terms.iter().any(scarce))
    }

    fn nobody_is_passed_over(&self, at: Time, call: CallId, queue: QueueId, agent: AgentId) {
        let stay = &self.stays[&(call, queue)];
        let rank = self.rank(call, queue, stay, agent).unwrap_or_else(|| panic!("agent {agent} cannot serve call {call}"));
        assert!(!self.is_held(at, call, agent), "call {call} is offered to agent {agent} against a hold");
        for ((other, elsewhere), waiting) in &self.stays {
            if *other == call || !self.waits(*other, waiting) {
                continue;
            }
            if self.rank(*other, *elsewhere, waiting, agent).is_some_and(|better| better < rank)
                && !self.is_kept(at, *other, *elsewhere, agent)
            {
                panic!("agent {agent} is offered call {call} before call {other}, which ranks better");
            }
        }
    }

    fn is_held(&self, at: Time, call: CallId, agent: AgentId) -> bool {
        [self.held.get(&(agent, call)), self.paused.get(&call)].into_iter().flatten().any(|until| *until > at)
    }

    /// Whether a named hold may keep a call from an agent: refused, reserved, or kept for the agent whom the caller is to reach first.
    fn is_kept(&self, at: Time, call: CallId, queue: QueueId, agent: AgentId) -> bool {
        let stay = &self.stays[&(call, queue)];
        let reserved = self
            .config
            .queues
            .get(&queue)
            .and_then(|queue| queue.reserve)
            .is_some_and(|(skill, _)| self.config.agents[&agent].skills.contains_key(&skill) && !self.needs_skill(stay.needs, skill));
        let caller = &self.callers[&call];
        let returns = self.returning.contains(&caller.from);
        // A call that is kept for its last agent is kept in every queue where it waits.
        let last_agent = self.stays.range((call, QueueId(0))..=(call, QueueId(u64::MAX))).any(|((_, queue), stay)| {
            let span = self.config.queues.get(queue).and_then(|queue| queue.last_agent);
            span.is_some_and(|span| returns && at < stay.entered_at + span)
        });
        let preferred = last_agent || at < stay.entered_at + caller.agent_first;
        self.is_held(at, call, agent) || reserved || preferred
    }

    fn needs_skill(&self, class: RequirementClass, skill: careline::model::SkillId) -> bool {
        let any_of = &self.config.classes[usize::from(class.0)].needs.any_of;
        any_of.iter().all(|terms| terms.iter().any(|term| matches!(term, Term::AtLeast(s, _) if *s == skill)))
    }

    /// After each event: nobody waits beside a ready agent who fits, and no offer, visit or record is out of step.
    pub fn check(&mut self, now: Time) {
        self.ledger.check();
        for (agent, _) in self.agents.iter().filter(|(_, (state, _))| *state == AgentState::Ready) {
            for ((call, queue), stay) in self.stays.iter().filter(|((call, _), stay)| self.waits(*call, stay)) {
                let fits = self.rank(*call, *queue, stay, *agent).is_some();
                assert!(!fits || self.is_kept(now, *call, *queue, *agent), "call {call} waits beside agent {agent}, who is ready and fits");
            }
        }
    }

    /// When nobody is left: every call has had its end, and every offer.
    pub fn finish(&self, figures: &Figures, now: Time) {
        assert!(self.stays.is_empty(), "visits are left: {:?}", self.stays);
        self.ledger.finish(figures, now);
    }
}

/// A wrap-up may have been extended since it began.
fn same(state: AgentState) -> AgentState {
    match state {
        AgentState::WrapUp { call, .. } => AgentState::WrapUp { call, until: Time(0) },
        other => other,
    }
}
