//! The same events give the same commands: again, late, and from any checkpoint.

use careline::acd::{Acd, Command, Config, Event};
use careline::model::Time;

pub type Told = (Time, Event, Vec<Command>);

/// All three, resuming at every event.
pub fn check_all(config: &Config, told: &[Told]) {
    again(config, told);
    late(config, told);
    for at in 0..told.len() {
        resume(config, told, at);
    }
}

pub fn again(config: &Config, told: &[Told]) {
    let mut acd = Acd::new(config.clone());
    for (index, (now, event, said)) in told.iter().enumerate() {
        let mut out = Vec::new();
        acd.handle(*now, event.clone(), &mut out);
        assert_eq!(&out, said, "replay differs at event {index}: {event:?}");
    }
}

/// Nobody delivers a deadline: each is found by the next event, and everything is said as if it had been on time.
pub fn late(config: &Config, told: &[Told]) {
    let mut acd = Acd::new(config.clone());
    let mut owed: Vec<&Command> = Vec::new();
    for (index, (now, event, said)) in told.iter().enumerate() {
        owed.extend(said);
        if *event == Event::DeadlineReached {
            continue;
        }
        let mut out = Vec::new();
        acd.handle(*now, event.clone(), &mut out);
        assert_eq!(out.iter().collect::<Vec<_>>(), owed, "late deadlines change what follows event {index}: {event:?}");
        owed.clear();
    }
}

/// Stops after `at` events, restarts from the checkpoint, and goes on.
pub fn resume(config: &Config, told: &[Told], at: usize) {
    let mut before = Acd::new(config.clone());
    let (mut out, mut now) = (Vec::new(), Time(0));
    for (time, event, _) in &told[..at] {
        before.handle(*time, event.clone(), &mut out);
        out.clear();
        now = *time;
    }
    go_on(&before, now, told, at);
}

/// Continues from a checkpoint of `before`, which has been told the first `at` events.
pub fn go_on(before: &Acd, now: Time, told: &[Told], at: usize) {
    let mut after = Acd::new(Config::default());
    let mut out = Vec::new();
    for piece in before.checkpoint() {
        after.handle(now, piece, &mut out);
    }
    assert!(out.is_empty(), "a restored core speaks before it is spoken to: {out:?}");
    for (index, (time, event, said)) in told.iter().enumerate().skip(at) {
        out.clear();
        after.handle(*time, event.clone(), &mut out);
        assert_eq!(&out, said, "resumed at {at}, differs at event {index}: {event:?}");
    }
}
