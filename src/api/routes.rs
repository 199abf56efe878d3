//! What answers at which path.

use super::wire::{Centre, Error, ErrorBody, ReloadAnswer, StateAnswer, StateAsked, Why};
use super::{AgentAsk, Answer, Backend, Explanation};
use crate::acd::{AgentState, NotReadyReason};
use crate::model::{AgentId, CallId};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::{Router, serve as serve_http};
use sha2::{Digest, Sha256};
use std::future::{Future, IntoFuture, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// The longest body that is read.
const BODY_MAX: usize = 16 * 1024;

/// The longest extension that can be asked for, in seconds; the queue's own maximum is the core's affair.
const EXTEND_MAX: u64 = 3600;

/// At the end whoever has not finished asking, or does not read the answer, is waited for so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is answered for a core that cannot.
const DEAD: &str = "the centre's core does not answer: start the centre anew\n";

/// Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Binds the API's address, which must be a loopback address: there is no TLS here.
pub async fn bind(listen: SocketAddr) -> Result<TcpListener, String> {
    if !listen.ip().is_loopback() {
        return Err(format!("http.listen = \"{listen}\": must be a loopback address, such as 127.0.0.1:{}", listen.port()));
    }
    TcpListener::bind(listen).await.map_err(|error| format!("http.listen = \"{listen}\": {error}"))
}

/// Serves until `shutdown` is ready and what was asked before it is answered, or its asker was too slow.
pub async fn serve(
    listener: TcpListener,
    token: &str,
    backend: Arc<dyn Backend>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stop, stopping) = oneshot::channel();
    let shutdown = async move {
        shutdown.await;
        let _ = stop.send(());
    };
    let patience = async move {
        match stopping.await {
            Ok(()) => sleep(PATIENCE).await,
            Err(_) => pending().await,
        }
    };
    tokio::select! {
        served = serve_http(listener, router(token, backend)).with_graceful_shutdown(shutdown).into_future() => served,
        () = patience => Ok(()),
    }
}

/// The routes alone.
pub fn router(token: &str, backend: Arc<dyn Backend>) -> Router {
    let token: [u8; 32] = Sha256::digest(token).into();
    let api = Router::new()
        .route("/view", get(view))
        .route("/reload", post(reload))
        .route("/agents/{id}/state", post(agent_state))
        .route("/why-waiting/{call}", get(why_waiting))
        .route("/why-idle/{agent}", get(why_idle))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn(move |request: Request, next: Next| authorised(token, request, next)));
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .nest("/api/v1", api)
        .fallback(nothing_here)
        .with_state(backend)
}

type Centred = State<Arc<dyn Backend>>;

async fn metrics(State(backend): Centred) -> Response {
    match backend.metrics().await {
        Some(text) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        // An empty answer would read as a centre without calls.
        None => (StatusCode::SERVICE_UNAVAILABLE, DEAD).into_response(),
    }
}

async fn alive(State(backend): Centred) -> Response {
    if backend.alive().await { "ok\n".into_response() } else { (StatusCode::SERVICE_UNAVAILABLE, DEAD).into_response() }
}

async fn ready(State(backend): Centred) -> Response {
    match backend.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

async fn view(State(backend): Centred) -> Response {
    Json(Centre::new(&backend.view(), &backend.config())).into_response()
}

async fn agent_state(State(backend): Centred, Path(id): Path<String>, body: Bytes) -> Result<Response, Response> {
    let asked: StateAsked =
        serde_json::from_slice(&body).map_err(|error| refusal(StatusCode::BAD_REQUEST, "bad_body", what_is_wrong(&error)))?;
    let ask = agent_ask(&asked).map_err(|message| refusal(StatusCode::BAD_REQUEST, "bad_state", message))?;
    let agent = known_agent(&*backend, &id)?;
    let view = backend.view();
    let (state, reachable) = view.agents.get(&agent).map_or((AgentState::LoggedOut, false), |agent| (agent.state, agent.reachable));
    if state == AgentState::LoggedOut {
        let message = format!("agent {agent} is logged out: register the agent's station first");
        return Err(refusal(StatusCode::CONFLICT, "logged_out", message));
    }
    let wrapping = matches!(state, AgentState::WrapUp { .. });
    let ask = match ask {
        AgentAsk::Ready if wrapping => AgentAsk::EndWrapUp { code: None },
        AgentAsk::EndWrapUp { .. } | AgentAsk::ExtendWrapUp(_) if !wrapping => {
            let message = format!("agent {agent} is {}: `code` and `extend` are for wrap_up", state.label());
            return Err(refusal(StatusCode::CONFLICT, "not_in_wrap_up", message));
        }
        ask => ask,
    };
    let effective = effective(state, reachable, &ask);
    backend.ask(agent, ask).map_err(|message| refusal(StatusCode::SERVICE_UNAVAILABLE, "busy", message))?;
    let answer = StateAnswer { agent: agent.0, asked: asked.state, effective };
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Where a body is wrong, in words of ours: what was sent may be anything, a caller's number too, and is not repeated.
fn what_is_wrong(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let fields = "fields: state, reason, code, extend";
    format!("not what this path takes, at line {line} column {column}; send {{\"state\": \"ready\"}} ({fields})")
}

/// When the core does what is asked of it.
fn effective(state: AgentState, reachable: bool, ask: &AgentAsk) -> &'static str {
    match (ask, state) {
        (AgentAsk::ExtendWrapUp(_), _) => "up_to_maximum",
        // Who leaves is not rung a moment longer.
        (AgentAsk::LogOut, AgentState::Offered(_)) => "now",
        (AgentAsk::EndWrapUp { .. }, _) if reachable => "now",
        (AgentAsk::EndWrapUp { .. }, _) => "when_reachable",
        (
            _,
            AgentState::Offered(_) | AgentState::Connecting(_) | AgentState::Talking(_) | AgentState::WrapUp { .. } | AgentState::OwnCall,
        ) => "after_call",
        (AgentAsk::Ready, _) if !reachable => "when_reachable",
        _ => "now",
    }
}

/// What is asked, before it is known what the agent does.
fn agent_ask(asked: &StateAsked) -> Result<AgentAsk, String> {
    match (asked.state.as_str(), asked.reason.as_deref(), &asked.code, asked.extend) {
        ("ready", None, None, None) => Ok(AgentAsk::Ready),
        ("ready", None, Some(code), None) => wrap_up_code(code).map(|code| AgentAsk::EndWrapUp { code: Some(code) }),
        ("logged_out", None, None, None) => Ok(AgentAsk::LogOut),
        ("not_ready", reason, None, None) => not_ready_reason(reason.unwrap_or("other")).map(AgentAsk::NotReady),
        ("wrap_up", None, None, Some(seconds @ 1..=EXTEND_MAX)) => Ok(AgentAsk::ExtendWrapUp(Duration::from_secs(seconds))),
        ("wrap_up", ..) => Err(format!("wrap_up is extended: send {{\"state\": \"wrap_up\", \"extend\": SECONDS}}, 1 to {EXTEND_MAX}")),
        ("ready" | "logged_out", Some(_), ..) => Err("only not_ready has a reason".into()),
        ("ready" | "logged_out" | "not_ready", ..) => Err("only ready has a code, and only wrap_up an extend".into()),
        _ => Err("no such state (valid: ready, not_ready, logged_out, wrap_up)".into()),
    }
}

/// A word of the centre's own; free text about a caller has no place in it.
fn wrap_up_code(code: &str) -> Result<String, String> {
    let word = (1..=32).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    word.then(|| code.to_string()).ok_or_else(|| "no such code (valid: one to 32 of a-z, A-Z, 0-9, _ and -)".into())
}

fn not_ready_reason(reason: &str) -> Result<NotReadyReason, String> {
    match reason {
        "break" => Ok(NotReadyReason::Break),
        "meal" => Ok(NotReadyReason::Meal),
        "training" => Ok(NotReadyReason::Training),
        "other" => Ok(NotReadyReason::Other),
        code => code
            .parse()
            .map(NotReadyReason::Code)
            .map_err(|_| "no such reason (valid: break, meal, training, other, or a configured code's number)".into()),
    }
}

async fn reload(State(backend): Centred) -> Result<Response, Response> {
    let wrong = |problems: Vec<String>| refusal(StatusCode::UNPROCESSABLE_ENTITY, "refused", problems.join("\n"));
    Ok(Json(ReloadAnswer::from(backend.reload().await.map_err(wrong)?)).into_response())
}

async fn why_waiting(State(backend): Centred, Path(call): Path<String>) -> Result<Response, Response> {
    let id = call.parse().map(CallId).map_err(|_| refusal(StatusCode::BAD_REQUEST, "bad_call", "not a call's number".into()))?;
    explain(backend.why_waiting(id), "no such call in the centre".into()).await
}

async fn why_idle(State(backend): Centred, Path(agent): Path<String>) -> Result<Response, Response> {
    let id = known_agent(&*backend, &agent)?;
    explain(backend.why_idle(id), "no such agent".into()).await
}

async fn explain(answer: Answer<'_, Option<Explanation>>, unknown: String) -> Result<Response, Response> {
    let explanation = answer.await.ok_or_else(|| refusal(StatusCode::NOT_FOUND, "not_found", unknown))?;
    Ok(Json(Why::new(explanation)).into_response())
}

// A refusal is the whole answer, made once a request.
#[allow(clippy::result_large_err)]
fn known_agent(backend: &dyn Backend, id: &str) -> Result<AgentId, Response> {
    let agent = id.parse().map(AgentId).ok().filter(|agent| backend.config().agents.contains_key(agent));
    agent.ok_or_else(|| refusal(StatusCode::NOT_FOUND, "unknown_agent", "no agent of this number in the configuration".into()))
}

async fn nothing_here() -> Response {
    refusal(StatusCode::NOT_FOUND, "not_found", "nothing here (valid: /metrics, /healthz, /readyz, /api/v1/view, …)".into())
}

async fn wrong_method() -> Response {
    refusal(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "this path takes another method".into())
}

async fn authorised(token: [u8; 32], request: Request, next: Next) -> Response {
    if bearer(request.headers()).is_some_and(|given| same(&Sha256::digest(given).into(), &token)) {
        return next.run(request).await;
    }
    let message = "send `Authorization: Bearer TOKEN` with the token of the configuration's [http]".into();
    let mut response = refusal(StatusCode::UNAUTHORIZED, "unauthorised", message);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    response
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Compares digests in a time that does not depend on where they differ.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).fold(0, |difference, (one, other)| difference | (one ^ other)) == 0
}

fn refusal(status: StatusCode, code: &'static str, message: String) -> Response {
    (status, Json(Error { error: ErrorBody { code, message } })).into_response()
}
