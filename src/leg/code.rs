//! What a station asks for by dialling a code: `*10`, as shipped, logs in, `*11` is ready, and so on. One machine a call; it asks for what it needs,
//! wishes, and speaks what became of the wish. It knows prompts by name and nobody's state.

use crate::model::Time;
use std::time::Duration;

/// What is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    LogIn,
    Ready,
    /// `*12`, as shipped, or with its key at once: `*121`.
    NotReady(Option<Pause>),
    EndWrapUp,
    LogOut,
    Echo,
    /// 911, where no emergency call can go out.
    NoEmergency,
    /// A number that no rule lets out; heard before the call is refused.
    Refused,
}

/// What is dialled for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub log_in: String,
    pub ready: String,
    pub not_ready: String,
    pub end_wrap_up: String,
    pub log_out: String,
    pub echo: String,
}

impl Default for Plan {
    fn default() -> Plan {
        let [log_in, ready, not_ready, end_wrap_up, log_out, echo] = ["*10", "*11", "*12", "*13", "*14", "*43"].map(String::from);
        Plan { log_in, ready, not_ready, end_wrap_up, log_out, echo }
    }
}

impl Plan {
    /// The code that is dialled so, if any.
    pub fn code(&self, dialled: &str) -> Option<Code> {
        self.all().into_iter().find(|(own, _)| own == dialled).map(|(_, code)| code)
    }

    /// Everything that can be dialled; each is one thing alone if the plan is any good.
    pub fn all(&self) -> Vec<(String, Code)> {
        let whole = [
            (&self.log_in, Code::LogIn),
            (&self.ready, Code::Ready),
            (&self.not_ready, Code::NotReady(None)),
            (&self.end_wrap_up, Code::EndWrapUp),
            (&self.log_out, Code::LogOut),
            (&self.echo, Code::Echo),
        ];
        let with_key = ['1', '2', '3', '4'].map(|key| (format!("{}{key}", self.not_ready), Code::NotReady(Pause::of(key))));
        whole.into_iter().map(|(dialled, code)| (dialled.clone(), code)).chain(with_key).collect()
    }

    /// Whether the words that say how to log in are true.
    pub fn is_as_recorded(&self) -> bool {
        self.log_in == Plan::default().log_in
    }
}

/// Why an agent takes no calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    Break,
    Meal,
    Training,
    Other,
}

impl Pause {
    fn of(key: char) -> Option<Pause> {
        Some(match key {
            '1' => Pause::Break,
            '2' => Pause::Meal,
            '3' => Pause::Training,
            '4' => Pause::Other,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The station hears us: by our answer, or before it.
    Answered,
    Key(char),
    /// All that was to be said has been said.
    Said,
    Granted(Outcome, Begins),
    /// The time that was asked for has come.
    Waited,
}

/// What is wanted of the centre; `Granted` follows.
#[derive(Clone, PartialEq, Eq)]
pub enum Wish {
    LogIn { number: String, pin: String },
    Ready,
    NotReady(Pause),
    EndWrapUp,
    LogOut,
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    LoggedIn,
    /// The number or the PIN is wrong; which of them is not told.
    WrongPin,
    /// Somebody else is in a call at this station.
    InUse,
    Ready {
        missed: u32,
    },
    NotReady(Pause),
    WrapUpEnded,
    NoWrapUp,
    LoggedOut,
    /// Nobody is logged in at this station; whether they would log in by the code that is recorded.
    Nobody {
        as_recorded: bool,
    },
}

/// When what was granted begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    Now,
    AfterCall,
    AfterWrapUp,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Output {
    /// Speak these prompts, in this order, instead of what is being said; `Said` follows.
    Say(Vec<String>),
    /// Stop speaking; no `Said` follows.
    Hush,
    Wish(Wish),
    /// From now on the station hears itself.
    Echo,
    HangUp,
}

/// Everything that a code speaks, beside the numbers; a centre has them in each of its languages.
pub const PROMPTS: [&str; 22] = [
    "agent_number",
    "agent_pin",
    "login_refused",
    "logged_in",
    "ready",
    "missed_calls",
    "why_not_ready",
    "on_break",
    "on_meal",
    "on_training",
    "not_ready",
    "wrap_up_ended",
    "no_wrap_up",
    "logged_out",
    "nobody_here",
    "how_to_log_in",
    "after_call",
    "after_wrap_up",
    "telephone_in_use",
    "echo_test",
    "use_another_telephone",
    "number_refused",
];

/// Log-ins that may be tried in one call.
pub const TRIES: u32 = 3;
/// Longest number and PIN; what is longer is wrong.
const KEYS_MAX: usize = 20;
/// How long we wait for the next key, and how long a call may last whatever happens.
const KEY_WAIT: Duration = Duration::from_secs(10);
const CALL_MAX: Duration = Duration::from_secs(120);
const ECHO_MAX: Duration = Duration::from_secs(600);
/// A telephone plays what we sent a little later: who hangs up at once cuts the last word off.
const LAST_WORDS: Duration = Duration::from_millis(500);

#[derive(Clone, PartialEq, Eq)]
enum Stage {
    /// Not answered yet.
    Ringing,
    Number {
        keys: String,
    },
    Pin {
        number: String,
        keys: String,
    },
    WhyNotReady,
    /// A wish is out.
    Wishing,
    /// Whoever hears the last words out is hung up on.
    Closing,
    /// The announcement of the echo, then the echo.
    Echoing,
}

/// One call of a code.
pub struct CodeCall {
    code: Code,
    stage: Stage,
    tries: u32,
    /// The next key should be there, or the last word heard.
    key_due: Option<Time>,
    end: Time,
}

impl CodeCall {
    pub fn new(now: Time, code: Code) -> CodeCall {
        let lasts = if code == Code::Echo { ECHO_MAX } else { CALL_MAX };
        CodeCall { code, stage: Stage::Ringing, tries: 0, key_due: None, end: now + lasts }
    }

    /// Whether it ends in a refusal: it is never answered.
    pub fn refuses(&self) -> bool {
        self.code == Code::Refused
    }

    /// When `Waited` is to be given next.
    pub fn due(&self) -> Time {
        self.key_due.map_or(self.end, |due| due.min(self.end))
    }

    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Answered if self.stage == Stage::Ringing => self.begin(out),
            Input::Key(key) => self.key(now, key, out),
            Input::Said => self.said(now, out),
            Input::Granted(outcome, begins) if self.stage == Stage::Wishing => self.granted(outcome, begins, out),
            Input::Waited if now >= self.end => out.push(Output::HangUp),
            Input::Waited if self.key_due.is_some_and(|due| due <= now) => self.no_key(out),
            Input::Answered | Input::Granted(..) | Input::Waited => {}
        }
    }

    fn begin(&mut self, out: &mut Vec<Output>) {
        match self.code {
            Code::LogIn => self.ask_number(&[], out),
            Code::Ready => self.wish(Wish::Ready, out),
            Code::NotReady(Some(pause)) => self.wish(Wish::NotReady(pause), out),
            Code::NotReady(None) => {
                self.stage = Stage::WhyNotReady;
                say(&["why_not_ready"], out);
            }
            Code::EndWrapUp => self.wish(Wish::EndWrapUp, out),
            Code::LogOut => self.wish(Wish::LogOut, out),
            Code::NoEmergency => {
                self.stage = Stage::Closing;
                say(&["use_another_telephone", "use_another_telephone"], out);
            }
            Code::Refused => {
                self.stage = Stage::Closing;
                say(&["number_refused"], out);
            }
            Code::Echo => {
                self.stage = Stage::Echoing;
                say(&["echo_test"], out);
            }
        }
    }

    fn ask_number(&mut self, before: &[&str], out: &mut Vec<Output>) {
        self.stage = Stage::Number { keys: String::new() };
        self.key_due = None;
        say(&[before, &["agent_number"]].concat(), out);
    }

    fn wish(&mut self, wish: Wish, out: &mut Vec<Output>) {
        self.stage = Stage::Wishing;
        self.key_due = None;
        out.push(Output::Wish(wish));
    }

    fn key(&mut self, now: Time, key: char, out: &mut Vec<Output>) {
        let keys = match &mut self.stage {
            Stage::Number { keys } | Stage::Pin { keys, .. } => keys,
            Stage::WhyNotReady => {
                if let Some(pause) = Pause::of(key) {
                    out.push(Output::Hush);
                    self.wish(Wish::NotReady(pause), out);
                }
                return;
            }
            Stage::Ringing | Stage::Wishing | Stage::Closing | Stage::Echoing => return,
        };
        out.push(Output::Hush);
        self.key_due = Some(now + KEY_WAIT);
        match key {
            '#' => self.entered(out),
            // Begun again.
            '*' => keys.clear(),
            _ if keys.len() < KEYS_MAX => keys.push(key),
            _ => {}
        }
    }

    fn entered(&mut self, out: &mut Vec<Output>) {
        match std::mem::replace(&mut self.stage, Stage::Wishing) {
            Stage::Number { keys } => {
                self.stage = Stage::Pin { number: keys, keys: String::new() };
                self.key_due = None;
                say(&["agent_pin"], out);
            }
            Stage::Pin { number, keys } => self.wish(Wish::LogIn { number, pin: keys }, out),
            _ => unreachable!("only these are entered"),
        }
    }

    fn said(&mut self, now: Time, out: &mut Vec<Output>) {
        match self.stage {
            Stage::Number { .. } | Stage::Pin { .. } | Stage::WhyNotReady => self.key_due = Some(now + KEY_WAIT),
            Stage::Echoing => out.push(Output::Echo),
            Stage::Closing => self.key_due = Some(now + LAST_WORDS),
            Stage::Ringing | Stage::Wishing => {}
        }
    }

    /// Nobody presses anything: asked again, but not for ever.
    fn no_key(&mut self, out: &mut Vec<Output>) {
        self.key_due = None;
        self.tries += 1;
        match self.stage {
            _ if self.tries >= TRIES || self.stage == Stage::Closing => out.push(Output::HangUp),
            Stage::Pin { .. } => say(&["agent_pin"], out),
            Stage::Number { .. } => say(&["agent_number"], out),
            _ => say(&["why_not_ready"], out),
        }
    }

    fn granted(&mut self, outcome: Outcome, begins: Begins, out: &mut Vec<Output>) {
        if outcome == Outcome::WrongPin {
            self.tries += 1;
            if self.tries < TRIES {
                return self.ask_number(&["login_refused"], out);
            }
        }
        let (spoken, count) = match outcome {
            Outcome::WrongPin => ("login_refused", None),
            Outcome::LoggedIn => ("logged_in", None),
            Outcome::InUse => ("telephone_in_use", None),
            Outcome::Ready { missed } => ("ready", Some(missed)),
            Outcome::NotReady(Pause::Break) => ("on_break", None),
            Outcome::NotReady(Pause::Meal) => ("on_meal", None),
            Outcome::NotReady(Pause::Training) => ("on_training", None),
            Outcome::NotReady(Pause::Other) => ("not_ready", None),
            Outcome::WrapUpEnded => ("wrap_up_ended", None),
            Outcome::NoWrapUp => ("no_wrap_up", None),
            Outcome::LoggedOut => ("logged_out", None),
            Outcome::Nobody { .. } => ("nobody_here", None),
        };
        let mut prompts = Vec::new();
        if let Some(count) = count {
            prompts.push("missed_calls".to_string());
            prompts.extend(number(count));
        }
        prompts.push(spoken.to_string());
        if outcome == (Outcome::Nobody { as_recorded: true }) {
            prompts.push("how_to_log_in".to_string());
        }
        match begins {
            Begins::Now => {}
            Begins::AfterCall => prompts.push("after_call".to_string()),
            Begins::AfterWrapUp => prompts.push("after_wrap_up".to_string()),
        }
        debug_assert!(prompts.iter().all(|name| PROMPTS.contains(&&**name) || name.starts_with('n')), "a centre has {prompts:?}");
        self.stage = Stage::Closing;
        out.push(Output::Say(prompts));
    }
}

fn say(prompts: &[&str], out: &mut Vec<Output>) {
    debug_assert!(prompts.iter().all(|name| PROMPTS.contains(name)), "a centre has {prompts:?}");
    out.push(Output::Say(prompts.iter().map(|prompt| prompt.to_string()).collect()));
}

/// A number in recorded words: one word up to sixty, above that digit by digit.
fn number(count: u32) -> Vec<String> {
    if count <= 60 {
        return vec![format!("n{count}")];
    }
    count.to_string().chars().map(|digit| format!("n{digit}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(1_000_000);

    struct Trial {
        call: CodeCall,
        now: Time,
    }

    /// What was put out, in words.
    fn words(out: Vec<Output>) -> String {
        let word = |output| match output {
            Output::Say(prompts) => format!("say {}", prompts.join(" ")),
            Output::Hush => "hush".to_string(),
            Output::Wish(Wish::LogIn { number, pin }) => format!("log in {number} {pin}"),
            Output::Wish(Wish::Ready) => "ready".to_string(),
            Output::Wish(Wish::NotReady(pause)) => format!("not ready {pause:?}"),
            Output::Wish(Wish::EndWrapUp) => "end wrap-up".to_string(),
            Output::Wish(Wish::LogOut) => "log out".to_string(),
            Output::Echo => "echo".to_string(),
            Output::HangUp => "hang up".to_string(),
        };
        out.into_iter().map(word).collect::<Vec<_>>().join(", ")
    }

    impl Trial {
        fn dial(dialled: &str) -> Trial {
            Trial { call: CodeCall::new(START, Plan::default().code(dialled).expect("a code")), now: START }
        }

        fn give(&mut self, input: Input) -> String {
            let mut out = Vec::new();
            self.call.handle(self.now, input, &mut out);
            words(out)
        }

        /// The words of the last key.
        fn press(&mut self, keys: &str) -> String {
            keys.chars().map(|key| self.give(Input::Key(key))).last().unwrap()
        }

        fn wait(&mut self) -> String {
            self.now = self.call.due();
            self.give(Input::Waited)
        }
    }

    #[test]
    fn codes_are_what_they_are() {
        let dialled = ["*10", "*11", "*12", "*123", "*13", "*14", "*43"];
        let known = [
            Code::LogIn,
            Code::Ready,
            Code::NotReady(None),
            Code::NotReady(Some(Pause::Training)),
            Code::EndWrapUp,
            Code::LogOut,
            Code::Echo,
        ];
        assert_eq!(dialled.map(|dialled| Plan::default().code(dialled).unwrap()), known);
        for other in ["", "*", "10", "*1", "*100", "*125", "*1211", "+13125550100"] {
            assert_eq!(Plan::default().code(other), None, "{other}");
        }
        let own = Plan { not_ready: "712".into(), ..Plan::default() };
        assert_eq!((own.code("7122"), own.code("*122")), (Some(Code::NotReady(Some(Pause::Meal))), None));
    }

    #[test]
    fn who_logs_in_is_asked_for_number_and_pin() {
        let mut trial = Trial::dial("*10");
        assert_eq!(trial.give(Input::Answered), "say agent_number");
        assert_eq!(trial.press("99*1004#"), "hush, say agent_pin", "a star begins again, and keys need not wait for the words");
        assert_eq!(trial.give(Input::Said), "");
        assert_eq!(trial.press("4711#"), "hush, log in 1004 4711");
        assert_eq!(trial.press("1"), "");
        assert_eq!(trial.give(Input::Granted(Outcome::LoggedIn, Begins::Now)), "say logged_in");
        assert_eq!(trial.give(Input::Said), "");
        assert_eq!((trial.call.due(), trial.wait().as_str()), (START + LAST_WORDS, "hang up"));
    }

    #[test]
    fn a_wrong_log_in_may_be_tried_three_times() {
        let mut trial = Trial::dial("*10");
        trial.give(Input::Answered);
        for said in ["say login_refused agent_number", "say login_refused agent_number", "say login_refused"] {
            assert_eq!(trial.press("1#2#"), "hush, log in 1 2");
            assert_eq!(trial.give(Input::Granted(Outcome::WrongPin, Begins::Now)), said);
        }
        assert_eq!(trial.press("1#2#"), "");
        trial.give(Input::Said);
        assert_eq!(trial.wait(), "hang up");
    }

    #[test]
    fn who_presses_nothing_is_asked_again_and_then_hung_up_on() {
        let mut trial = Trial::dial("*10");
        trial.give(Input::Answered);
        trial.give(Input::Said);
        assert_eq!(trial.call.due(), START + KEY_WAIT);
        assert_eq!(trial.wait(), "say agent_number");
        assert_eq!(trial.press("1#"), "hush, say agent_pin");
        trial.give(Input::Said);
        assert_eq!(trial.wait(), "say agent_pin");
        trial.give(Input::Said);
        assert_eq!(trial.wait(), "hang up");
    }

    #[test]
    fn no_call_lasts_for_ever() {
        for (dialled, lasts) in [("*10", CALL_MAX), ("*43", ECHO_MAX)] {
            let mut trial = Trial::dial(dialled);
            trial.give(Input::Answered);
            assert_eq!(trial.call.due(), START + lasts);
            assert_eq!(trial.wait(), "hang up", "the end of a prompt that is never told");
        }
    }

    #[test]
    fn ready_tells_what_was_missed() {
        for (missed, spoken) in [(0, "n0"), (7, "n7"), (60, "n60"), (75, "n7 n5")] {
            let mut trial = Trial::dial("*11");
            assert_eq!(trial.give(Input::Answered), "ready");
            let said = trial.give(Input::Granted(Outcome::Ready { missed }, Begins::Now));
            assert_eq!(said, format!("say missed_calls {spoken} ready"));
        }
    }

    #[test]
    fn a_reason_is_a_key_or_a_part_of_the_code() {
        let mut trial = Trial::dial("*12");
        assert_eq!(trial.give(Input::Answered), "say why_not_ready");
        assert_eq!(trial.press("9"), "");
        assert_eq!(trial.press("2"), "hush, not ready Meal");
        assert_eq!(trial.give(Input::Granted(Outcome::NotReady(Pause::Meal), Begins::AfterCall)), "say on_meal after_call");
        let mut trial = Trial::dial("*121");
        assert_eq!(trial.give(Input::Answered), "not ready Break");
        assert_eq!(trial.give(Input::Granted(Outcome::NotReady(Pause::Break), Begins::AfterWrapUp)), "say on_break after_wrap_up");
    }

    #[test]
    fn the_others_wish_at_once_and_say_what_became_of_it() {
        for (dialled, wish, outcome, said) in [
            ("*13", "end wrap-up", Outcome::WrapUpEnded, "say wrap_up_ended"),
            ("*13", "end wrap-up", Outcome::NoWrapUp, "say no_wrap_up"),
            ("*14", "log out", Outcome::LoggedOut, "say logged_out"),
            ("*14", "log out", Outcome::Nobody { as_recorded: true }, "say nobody_here how_to_log_in"),
            ("*14", "log out", Outcome::Nobody { as_recorded: false }, "say nobody_here"),
        ] {
            let mut trial = Trial::dial(dialled);
            assert_eq!(trial.give(Input::Answered), wish);
            assert_eq!(trial.give(Input::Granted(outcome, Begins::Now)), said);
            trial.give(Input::Said);
            assert_eq!(trial.wait(), "hang up");
        }
    }

    #[test]
    fn who_cannot_be_helped_hears_it_twice() {
        let mut trial = Trial { call: CodeCall::new(START, Code::NoEmergency), now: START };
        assert_eq!(trial.give(Input::Answered), "say use_another_telephone use_another_telephone");
        trial.give(Input::Said);
        assert_eq!(trial.wait(), "hang up");
    }

    #[test]
    fn who_may_not_dial_hears_it_once() {
        let mut trial = Trial { call: CodeCall::new(START, Code::Refused), now: START };
        assert_eq!(trial.give(Input::Answered), "say number_refused");
        trial.give(Input::Said);
        assert!(trial.call.refuses() && trial.wait() == "hang up");
    }

    #[test]
    fn an_echo_is_announced_first() {
        let mut trial = Trial::dial("*43");
        assert_eq!(trial.give(Input::Answered), "say echo_test");
        assert_eq!(trial.press("5"), "");
        assert_eq!(trial.give(Input::Said), "echo");
    }
}
