//! One newtype for each thing that has an identity.

macro_rules! ids { ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct $name(pub u64);

    impl std::fmt::Display for $name {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
    }
)* } }

ids! {
    /// One contact with the centre, from arrival to disposition, however many legs and queues it takes.
    CallId,
    /// One party of a call: the caller, an agent, a supervisor. At most one SIP dialog each.
    LegId,
    /// One attempt to give one call to one agent.
    OfferId,
    /// An agent, by the number that they log in with.
    AgentId,
    /// A queue; its name is in the configuration.
    QueueId,
    /// A skill; its name is in the configuration.
    SkillId,
    /// One playing of prompts to one leg.
    PlayId,
    /// One question to a system outside.
    LookupId,
    /// One process that holds callers' dialogs and media.
    EdgeId,
}
