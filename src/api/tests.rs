//! What the API answers, over real sockets.

use super::*;
use crate::acd::agent::AgentState;
use crate::acd::config::AgentConfig;
use crate::acd::view::AgentView;
use crate::model::{OfferId, Time};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

const TOKEN: &str = "demo-token";

struct Centre {
    asked: Sender<(AgentId, AgentAsk)>,
    state: AgentState,
    reachable: bool,
    alive: bool,
}

impl Backend for Centre {
    fn metrics(&self) -> Answer<'_, Option<String>> {
        Box::pin(async { self.alive.then(|| "careline_build_info 1\n".into()) })
    }
    fn alive(&self) -> Answer<'_, bool> {
        Box::pin(async { self.alive })
    }
    fn reload(&self) -> Answer<'_, Result<Reloaded, Vec<String>>> {
        let queue = || vec!["queue labs".to_string()];
        let wrong = || vec!["careline.toml:7:1: one".to_string(), "main.yaml:2:3: two".to_string()];
        Box::pin(async move { if self.reachable { Ok(Reloaded { added: queue(), ..Reloaded::default() }) } else { Err(wrong()) } })
    }
    fn ready(&self) -> Result<(), String> {
        Err("the prompts are being read".into())
    }
    fn view(&self) -> Arc<View> {
        let agent = AgentView {
            state: self.state,
            since: Time(0),
            reachable: self.reachable,
            station: AgentId(1001),
            wish: None,
            missed: Vec::new(),
        };
        Arc::new(View { at: Time(1_000_000), agents: [(AgentId(1001), agent)].into(), ..View::default() })
    }
    fn config(&self) -> Arc<Config> {
        let agent = AgentConfig { name: "Ana".into(), skills: [].into(), queues: [].into(), language: None };
        Arc::new(Config { agents: [(AgentId(1001), agent)].into(), ..Config::default() })
    }
    fn ask(&self, agent: AgentId, asked: AgentAsk) -> Result<(), String> {
        self.asked.send((agent, asked)).map_err(|_| "the core takes no events now".into())
    }
    fn why_waiting(&self, call: CallId) -> Answer<'_, Option<Explanation>> {
        let answer = Explanation { answer: "nobody speaks es".into(), reasons: vec![Reason { subject: 1001, reason: "lacks es".into() }] };
        Box::pin(async move { (call == CallId(7)).then_some(answer) })
    }
    fn why_idle(&self, _: AgentId) -> Answer<'_, Option<Explanation>> {
        Box::pin(async { Some(Explanation::default()) })
    }
}

/// Serves one centre while `test` asks it, then ends the server.
fn with_server(state: AgentState, test: impl FnOnce(SocketAddr, Receiver<(AgentId, AgentAsk)>)) {
    with_station(state, true, test);
}

fn with_station(state: AgentState, reachable: bool, test: impl FnOnce(SocketAddr, Receiver<(AgentId, AgentAsk)>)) {
    with_centre(|asked| Centre { asked, state, reachable, alive: true }, test);
}

fn with_centre(centre: impl FnOnce(Sender<(AgentId, AgentAsk)>) -> Centre, test: impl FnOnce(SocketAddr, Receiver<(AgentId, AgentAsk)>)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(bind("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, asks) = channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let backend = Arc::new(centre(asked));
    let server = runtime.spawn(serve(listener, TOKEN, backend, async { drop(stopped.await) }));
    test(address, asks);
    stop.send(()).unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), server).await });
    ended.expect("the server ends").unwrap().unwrap();
}

fn ask(address: SocketAddr, line: &str, authorization: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    write!(stream, "{head}Authorization: {authorization}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn with_token(address: SocketAddr, line: &str, body: &str) -> String {
    ask(address, line, &format!("Bearer {TOKEN}"), body)
}

#[test]
fn figures_and_health_are_open_and_the_rest_asks_for_the_token() {
    with_server(AgentState::Ready, |address, _| {
        assert!(ask(address, "GET /metrics", "", "").contains("careline_build_info 1\n"));
        assert!(ask(address, "GET /healthz", "", "").starts_with("HTTP/1.1 200"));
        assert!(ask(address, "GET /readyz", "", "").contains("not ready: the prompts are being read"));
        for wrong in ["", "Bearer", "Bearer demo-toke", "Bearer demo-token2", "Basic demo-token"] {
            for line in ["GET /api/v1/view", "GET /api/v1/nothing", "POST /api/v1/agents/1001/state"] {
                let answer = ask(address, line, wrong, "");
                assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("\"unauthorised\""), "{wrong}: {answer}");
            }
        }
    });
}

#[test]
fn a_question_without_an_end_does_not_keep_the_server() {
    let mut slow = Vec::new();
    let halves = ["GET /metrics HTTP/1.1\r\nHost: ", "POST /api/v1/agents/1001/state HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"];
    with_server(AgentState::Ready, |address, _| {
        for half in halves {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "{half}Authorization: Bearer {TOKEN}\r\n").unwrap();
            if half.starts_with("POST") {
                stream.write_all(b"\r\n{").unwrap();
            }
            slow.push(stream);
        }
        assert!(ask(address, "GET /healthz", "", "").starts_with("HTTP/1.1 200"));
    });
}

/// An empty answer would read as a centre without calls.
#[test]
fn a_core_that_is_dead_is_told_as_such() {
    let dead = |asked| Centre { asked, state: AgentState::Ready, reachable: true, alive: false };
    with_centre(dead, |address, _| {
        for line in ["GET /metrics", "GET /healthz", "GET /readyz"] {
            assert!(ask(address, line, "", "").starts_with("HTTP/1.1 503"), "{line}");
        }
    });
}

#[test]
fn a_reload_says_what_is_other_now_or_all_that_is_wrong() {
    with_server(AgentState::Ready, |address, _| {
        let answer = with_token(address, "POST /api/v1/reload", "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with(r#"{"added":["queue labs"],"removed":[],"changed":[],"needs_restart":[]}"#), "{answer}");
        assert!(ask(address, "POST /api/v1/reload", "", "").starts_with("HTTP/1.1 401"));
    });
    with_station(AgentState::Ready, false, |address, _| {
        let answer = with_token(address, "POST /api/v1/reload", "");
        assert!(answer.starts_with("HTTP/1.1 422") && answer.contains(r"careline.toml:7:1: one\nmain.yaml:2:3: two"), "{answer}");
    });
}

#[test]
fn the_view_names_agents_and_their_states() {
    with_server(AgentState::NotReady(NotReadyReason::Meal), |address, _| {
        let answer = with_token(address, "GET /api/v1/view", "");
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        let centre: wire::Centre = serde_json::from_str(body).unwrap();
        assert_eq!(centre.at, "1970-01-01T00:00:01Z");
        let [agent] = &centre.agents[..] else { panic!("{centre:?}") };
        assert_eq!((agent.id, &*agent.name, &*agent.state, agent.state_seconds), (1001, "Ana", "not_ready", 1.0));
        assert_eq!(agent.reason.as_deref(), Some("meal"));
    });
}

#[test]
fn an_agents_state_is_asked_of_the_core() {
    with_server(AgentState::Talking(CallId(1)), |address, asks| {
        let answer = with_token(address, "POST /api/v1/agents/1001/state", r#"{"state": "not_ready", "reason": "break"}"#);
        assert!(answer.starts_with("HTTP/1.1 202") && answer.contains("after_call"), "{answer}");
        assert_eq!(asks.recv().unwrap(), (AgentId(1001), AgentAsk::NotReady(NotReadyReason::Break)));
        with_token(address, "POST /api/v1/agents/1001/state", r#"{"state": "ready"}"#);
        assert_eq!(asks.recv().unwrap(), (AgentId(1001), AgentAsk::Ready));
    });
}

#[test]
fn what_is_effective_now_is_so_only_of_who_is_free() {
    use AgentState::{Connecting, Offered, Ready, Talking};
    let wrapping = AgentState::WrapUp { call: CallId(1), until: Time(2_000_000) };
    let away = AgentState::NotReady(NotReadyReason::Break);
    let (ready, not_ready, out) = (r#"{"state": "ready"}"#, r#"{"state": "not_ready"}"#, r#"{"state": "logged_out"}"#);
    for (state, reachable, body, effective) in [
        (away, true, ready, "now"),
        (away, false, ready, "when_reachable"),
        (Ready, true, not_ready, "now"),
        (Offered(OfferId(1)), true, not_ready, "after_call"),
        (Offered(OfferId(1)), true, out, "now"),
        (Connecting(OfferId(1)), true, out, "after_call"),
        (Talking(CallId(1)), true, ready, "after_call"),
        (wrapping, true, not_ready, "after_call"),
        (wrapping, true, ready, "now"),
        (wrapping, false, ready, "when_reachable"),
        (wrapping, true, r#"{"state": "wrap_up", "extend": 30}"#, "up_to_maximum"),
    ] {
        with_station(state, reachable, |address, _asks| {
            let answer = with_token(address, "POST /api/v1/agents/1001/state", body);
            let expected = format!(r#""effective":"{effective}""#);
            assert!(answer.starts_with("HTTP/1.1 202") && answer.contains(&expected), "{state:?} {reachable} {body}: {answer}");
        });
    }
}

#[test]
fn a_wrap_up_is_ended_with_its_code_or_extended() {
    let path = "POST /api/v1/agents/1001/state";
    with_server(AgentState::WrapUp { call: CallId(1), until: Time(2_000_000) }, |address, asks| {
        for (body, ask) in [
            (r#"{"state": "ready"}"#, AgentAsk::EndWrapUp { code: None }),
            (r#"{"state": "ready", "code": "refill-done"}"#, AgentAsk::EndWrapUp { code: Some("refill-done".into()) }),
            (r#"{"state": "wrap_up", "extend": 90}"#, AgentAsk::ExtendWrapUp(Duration::from_secs(90))),
        ] {
            with_token(address, path, body);
            assert_eq!(asks.try_recv(), Ok((AgentId(1001), ask)), "{body}");
        }
    });
    with_server(AgentState::Ready, |address, asks| {
        for body in [r#"{"state": "ready", "code": "x"}"#, r#"{"state": "wrap_up", "extend": 9}"#] {
            let answer = with_token(address, path, body);
            assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("not_in_wrap_up"), "{body}: {answer}");
        }
        assert!(asks.try_recv().is_err());
    });
}

#[test]
fn an_agent_without_a_station_is_not_made_ready() {
    with_server(AgentState::LoggedOut, |address, _| {
        let answer = with_token(address, "POST /api/v1/agents/1001/state", r#"{"state": "ready"}"#);
        assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("register"), "{answer}");
    });
}

#[test]
fn wrong_questions_get_clear_errors() {
    with_server(AgentState::Ready, |address, _| {
        for (line, body, status, says) in [
            ("POST /api/v1/agents/9/state", r#"{"state": "ready"}"#, "404", "no agent"),
            ("POST /api/v1/agents/x/state", r#"{"state": "ready"}"#, "404", "no agent"),
            ("POST /api/v1/agents/1001/state", r#"{"state": "idle"}"#, "400", "valid: ready, not_ready, logged_out, wrap_up"),
            ("POST /api/v1/agents/1001/state", r#"{"state": "not_ready", "reason": "nap"}"#, "400", "valid: break, meal"),
            ("POST /api/v1/agents/1001/state", "ready", "400", "bad_body"),
            ("POST /api/v1/agents/1001/state", r#"{"state": "ready", "reason": "meal"}"#, "400", "only not_ready has a reason"),
            ("POST /api/v1/agents/1001/state", r#"{"state": "not_ready", "code": "x"}"#, "400", "only ready has a code"),
            ("POST /api/v1/agents/1001/state", r#"{"state": "ready", "code": "two words"}"#, "400", "valid: one to 32"),
            ("POST /api/v1/agents/1001/state", r#"{"state": "wrap_up"}"#, "400", "extend"),
            ("POST /api/v1/agents/1001/state", r#"{"state": "wrap_up", "extend": 0}"#, "400", "1 to 3600"),
            ("POST /api/v1/agents/1001/state", r#"{"state": "ready", "agent": 2}"#, "400", "fields: state, reason, code, extend"),
            ("GET /api/v1/agents/1001/state", "", "405", "another method"),
            ("GET /api/v1/why-waiting/8", "", "404", "no such call"),
            ("GET /api/v1/why-waiting/eight", "", "400", "not a call's number"),
            ("GET /api/v1/why-idle/8", "", "404", "unknown_agent"),
            ("GET /api/v1/calls", "", "404", "nothing here"),
            ("GET /", "", "404", "nothing here"),
        ] {
            let answer = with_token(address, line, body);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(says), "{line} {body}: {answer}");
            assert!(answer.contains("content-type: application/json"), "{line} {body}: {answer}");
        }
        assert!(with_token(address, "GET /api/v1/why-waiting/7", "").contains(r#"{"subject":1001,"reason":"lacks es"}"#));
        assert!(with_token(address, "GET /api/v1/why-idle/1001", "").starts_with("HTTP/1.1 200"));
    });
}

#[test]
fn only_loopback_is_bound() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(bind("0.0.0.0:0".parse().unwrap())).unwrap_err();
    assert!(error.contains("http.listen") && error.contains("loopback"), "{error}");
}
