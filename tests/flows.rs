//! Whatever keys, silences and hang-ups a random caller produces, a flow ends at a person, a queue's exit or a spoken goodbye.

use careline::config::{self, Loaded};
use careline::ivr::{Action, Context, Input, Phase, QueueExit, Session, World};
use careline::model::{Phi, Time};
use proptest::prelude::*;
use std::path::Path;
use std::sync::OnceLock;

/// What a caller, or the centre, does at one moment.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Key(char),
    /// Nothing, until the flow's own timer or the end of its words.
    Silence,
    Left(QueueExit),
    TransferFailed,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let key = prop::sample::select("0123456789*#".chars().collect::<Vec<_>>()).prop_map(Deed::Key);
    let exit = prop::sample::select(QueueExit::ALL.to_vec()).prop_map(Deed::Left);
    let deed = prop_oneof![8 => key, 5 => Just(Deed::Silence), 2 => exit, 1 => Just(Deed::TransferFailed)];
    prop::collection::vec(deed, 0..200)
}

fn centre() -> &'static Loaded {
    static CENTRE: OnceLock<Loaded> = OnceLock::new();
    CENTRE.get_or_init(|| config::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config")).expect("the shipped centre is good"))
}

struct Walk<'a> {
    world: World<'a>,
    now: Time,
    session: Session,
    /// The words of the flow under way, in the order spoken.
    spoken: Vec<String>,
    over: bool,
    keys: usize,
}

impl<'a> Walk<'a> {
    fn start(number: &str) -> Walk<'static> {
        let centre = &centre().centre;
        let world = World { flows: &centre.flows, calendars: &centre.calendars };
        let (did, number) = centre.numbers.get_key_value(number).expect("a number of the centre");
        let now = Time(1_800_000_000_000_000);
        let context = Context { from: Phi("+13125550123".into()), did: did.clone(), language: number.language, arrived_at: now };
        let mut out = Vec::new();
        let session = Session::start(&world, now, &number.flow, context, &mut out);
        let mut walk = Walk { world, now, session, spoken: Vec::new(), over: false, keys: 0 };
        walk.check(out);
        walk
    }

    fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        self.session.handle(&self.world, self.now, input, &mut out);
        self.check(out);
    }

    /// What must hold of every batch of actions.
    fn check(&mut self, out: Vec<Action>) {
        assert!(out.len() <= Session::ACTIONS_MAX, "{} actions at once", out.len());
        for action in &out {
            assert!(!self.over, "{action:?} after the goodbye");
            match action {
                Action::Play(prompts) => {
                    assert!(!prompts.is_empty(), "silence is played at {}", self.session.step);
                    self.spoken.extend(prompts.iter().map(|prompt| prompt.to_string()));
                }
                Action::Enter(entry) => assert!(!entry.queues.is_empty()),
                Action::HangUp => {
                    assert!(self.spoken.last().is_some_and(|prompt| prompt.ends_with("/goodbye")), "hung up on after {:?}", self.spoken);
                    self.over = true;
                }
                _ => {}
            }
        }
        let waits = matches!(self.session.phase, Phase::Queued | Phase::Transferring | Phase::Over);
        let timed = out.iter().any(|action| matches!(action, Action::WaitFor(_)));
        assert!(waits || timed || out.is_empty() || self.session.phase == Phase::Speaking, "nothing would ever happen after {out:?}");
    }

    fn act(&mut self, deed: Deed) {
        match (deed, self.session.phase) {
            (Deed::Key(key), _) => {
                self.keys += 1;
                self.tell(Input::Key(key));
            }
            (Deed::Silence, Phase::Speaking) => self.tell(Input::PlayDone),
            (Deed::Silence, _) => self.tell(Input::Timeout),
            (Deed::Left(exit), _) => self.tell(Input::QueueLeft(exit)),
            (Deed::TransferFailed, _) => self.tell(Input::TransferFailed),
        }
    }

    /// With a person, waiting for one, or told goodbye.
    fn ended(&self) -> bool {
        matches!(self.session.phase, Phase::Queued | Phase::Transferring | Phase::Over)
    }

    /// From here on the caller is silent.
    fn fall_silent(&mut self) -> usize {
        let mut silences = 0;
        while !self.ended() {
            self.act(Deed::Silence);
            silences += 1;
            assert!(silences <= 40, "a silent caller is still at {} of {}", self.session.step, self.session.flow);
        }
        silences
    }
}

const NUMBERS: [&str; 5] = ["+13125550100", "+13125550101", "+13125550102", "+13125550103", "+13125550110"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_caller_arrives_somewhere(number in prop::sample::select(NUMBERS.to_vec()), deeds in deeds()) {
        let mut walk = Walk::start(number);
        for deed in deeds {
            walk.act(deed);
        }
        walk.fall_silent();
    }

    /// Whoever presses keys without end, and whatever the queues do, ends where a silent caller does.
    #[test]
    fn a_caller_who_never_stops_pressing_arrives(number in prop::sample::select(NUMBERS.to_vec()), keys in prop::collection::vec(prop::sample::select("0123456789*#".chars().collect::<Vec<_>>()), 1..12)) {
        let mut walk = Walk::start(number);
        for key in keys.iter().cycle().take(2_000) {
            walk.act(Deed::Key(*key));
            if walk.session.phase == Phase::Speaking {
                walk.act(Deed::Silence);
            }
        }
        prop_assert!(walk.ended(), "still at {} of {}", walk.session.step, walk.session.flow);
    }

    /// The emergency line is heard whole, in both languages, before anything else, whatever is pressed.
    #[test]
    fn the_emergency_line_comes_first_and_whole(number in prop::sample::select(vec!["+13125550100", "+13125550110"]), keys in prop::collection::vec(prop::sample::select("0123456789*#".chars().collect::<Vec<_>>()), 0..30)) {
        let mut walk = Walk::start(number);
        for key in keys {
            let mut out = Vec::new();
            walk.session.handle(&walk.world, walk.now, Input::Key(key), &mut out);
            prop_assert_eq!(out, vec![], "a key cut the emergency line");
        }
        prop_assert_eq!(&walk.spoken, &["en/emergency", "es/emergency"]);
        walk.act(Deed::Silence);
        walk.fall_silent();
    }
}

#[test]
fn keys_pressed_during_the_emergency_line_are_kept() {
    let mut walk = Walk::start("+13125550100");
    walk.act(Deed::Key('2'));
    walk.act(Deed::Key('2'));
    walk.act(Deed::Silence);
    assert_eq!((&*walk.session.step, walk.session.language.as_str(), walk.session.phase), ("billing", "es", Phase::Queued));
    assert_eq!(walk.spoken, ["en/emergency", "es/emergency"]);
}

#[test]
fn silence_and_wrong_keys_are_counted_apart() {
    let mut walk = Walk::start("+13125550100");
    walk.act(Deed::Silence);
    let mut answers = 0;
    // Two silences and two wrong keys in turn: neither count has reached three.
    for deed in [Deed::Silence, Deed::Key('7'), Deed::Silence, Deed::Key('8')] {
        if matches!(deed, Deed::Silence) {
            walk.act(Deed::Silence);
        }
        walk.act(deed);
        answers += 1;
        assert_eq!(&*walk.session.step, "language", "after {answers}");
    }
    walk.act(Deed::Key('9'));
    assert_eq!(&*walk.session.step, "nurse");
}

#[test]
fn a_caller_hears_the_menu_in_the_chosen_language() {
    for (key, language) in [('1', "en"), ('2', "es")] {
        let mut walk = Walk::start("+13125550100");
        walk.act(Deed::Silence);
        walk.act(Deed::Key(key));
        assert_eq!(walk.spoken.last().unwrap(), &format!("{language}/main_menu"));
    }
}

#[test]
fn nine_is_the_nurse_while_waiting_and_does_not_cost_who_waits_for_one() {
    let mut walk = Walk::start("+13125550102");
    walk.act(Deed::Silence);
    assert_eq!(&*walk.session.step, "billing");
    walk.act(Deed::Key('9'));
    assert_eq!((&*walk.session.step, walk.session.phase), ("nurse", Phase::Queued));
    let mut out = Vec::new();
    walk.session.handle(&walk.world, walk.now, Input::Key('9'), &mut out);
    assert_eq!(out, []);
}

/// Each verb in a flow of its own, whose tests say what it does.
#[test]
fn each_verb_does_as_its_flow_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["say", "gather", "confirm", "branch", "queue"] {
        let file = root.join("tests/verbs").join(name).with_extension("yaml");
        let loaded = config::load_with(&root.join("config"), config::now(), Some(&file)).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let (count, failures) = loaded.run_tests(Some(name));
        let lines: Vec<String> = failures.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty() && count > 3, "{}", lines.join("\n"));
    }
}

#[test]
fn a_flow_can_be_drawn() {
    let file = centre().files.iter().find(|file| &*file.name == "office_hours").unwrap();
    let drawn = careline::ivr::graph::mermaid(file);
    let expected = "flowchart TD
  start([office_hours])
  s1[\"emergency\"]
  s2[\"hours\"]
  s3[\"open\"]
  s4[\"closed\"]
  s5[\"holiday\"]
  s6[\"nurse\"]
  s7[\"goodbye\"]
  start --> s1
  s1 --> s2
  s2 -->|\"open\"| s3
  s2 -->|\"closed\"| s4
  s2 -->|\"holiday\"| s5
  s4 -->|\"9\"| s6
  s4 -->|\"otherwise\"| s7
  s5 -->|\"9\"| s6
  s5 -->|\"otherwise\"| s7
  s6 -->|\"otherwise\"| s7
  s3 --> flow_main([main])
";
    assert_eq!(drawn, expected);
}
