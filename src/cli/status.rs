//! `careline status`: asks a running server for its view.

use super::{failed, load};
use crate::api::wire::Centre;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Nothing on loopback takes longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Shows queues and agents of the server that runs with this configuration.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The configuration that names the server's address and token
    #[arg(long, value_name = "DIR", default_value = "config")]
    config: PathBuf,
    /// The server listens on this address instead of the configured one (the port stays)
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<IpAddr>,
    /// Print the server's JSON as it came
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> ExitCode {
    let mut loaded = match load(&args.config) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if let Some(address) = args.listen {
        loaded.server.listen_on(address);
    }
    let http = &loaded.server.http;
    let body = match get(http.listen, "/api/v1/view", &http.token.0) {
        Ok(body) => body,
        Err(error) => return failed(&error),
    };
    if args.json {
        println!("{body}");
        return ExitCode::SUCCESS;
    }
    match serde_json::from_str(&body) {
        Ok(centre) => print!("{}", board(&centre)),
        Err(error) => return failed(&format!("{}: not a view: {error}", http.listen)),
    }
    ExitCode::SUCCESS
}

/// The body of a 200; HTTP/1.1 as far as our own server needs it.
fn get(server: SocketAddr, path: &str, token: &str) -> Result<String, String> {
    let wrong = |error: std::io::Error| format!("{server}: {error}; is `careline serve` running with this configuration?");
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE).map_err(wrong)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(wrong)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n").map_err(wrong)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(wrong)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("{server}: does not answer in HTTP"))?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_string()),
        Some("401") => Err(format!("{server}: refuses the token of this configuration; it runs with another")),
        _ => Err(format!("{server}: {}: {body}", head.lines().next().unwrap_or_default())),
    }
}

/// The view as a person reads it.
fn board(centre: &Centre) -> String {
    let calls = &centre.calls;
    let mut lines = vec![
        format!("{}   in flow {}, queued {}, talking {}, wrap-up {}", centre.at, calls.flow, calls.queue, calls.talking, calls.wrap_up),
        String::new(),
        format!("{:<20} {:>5} {:>12} {:>12}", "queue", "open", "longest wait", "agents ready"),
    ];
    for queue in &centre.queues {
        let wait = format!("{:.0} s", queue.longest_wait_seconds);
        lines.push(format!("{:<20} {:>5} {wait:>12} {:>12}", queue.name, queue.open, queue.agents_ready));
    }
    lines.push(String::new());
    lines.push(format!("{:<6} {:<24} {:<24} {:>8}", "agent", "name", "state", "for"));
    for agent in &centre.agents {
        let reason = agent.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
        let lost = if agent.reachable || agent.state == "logged_out" { "" } else { ", station lost" };
        let state = format!("{}{reason}{lost}", agent.state);
        let time = if agent.state == "logged_out" { String::new() } else { format!("{:.0} s", agent.state_seconds) };
        lines.push(format!("{:<6} {:<24} {state:<24} {time:>8}", agent.id, agent.name));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::wire::{Agent, Calls, Queue};
    use std::net::TcpListener;

    fn centre() -> Centre {
        let agent = |id, state: &str, reason: Option<&str>, reachable| {
            let (state, reason) = (state.into(), reason.map(String::from));
            Agent { id, name: "Ana".into(), state, reason, state_seconds: 61.4, reachable, station: id, asked: None, missed: Vec::new() }
        };
        Centre {
            at: "2026-03-02T10:00:00Z".into(),
            calls: Calls { flow: 1, queue: 2, talking: 3, wrap_up: 4, placed: 0 },
            queues: vec![Queue {
                name: "nurse".into(),
                open: 2,
                longest_wait_seconds: 12.3,
                agents_ready: 0,
                first: Vec::new(),
                figures: Vec::new(),
            }],
            agents: vec![
                agent(1001, "not_ready", Some("meal"), true),
                agent(1002, "logged_out", None, false),
                agent(1003, "ready", None, false),
            ],
        }
    }

    /// A server that answers once.
    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            // All of it: closing on what is unread would reset the connection.
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn the_board_is_for_a_person() {
        let expected = "\
2026-03-02T10:00:00Z   in flow 1, queued 2, talking 3, wrap-up 4

queue                 open longest wait agents ready
nurse                    2         12 s            0

agent  name                     state                         for
1001   Ana                      not_ready (meal)             61 s
1002   Ana                      logged_out                       \n\
1003   Ana                      ready, station lost          61 s
";
        assert_eq!(board(&centre()), expected);
    }

    #[test]
    fn a_server_that_is_not_there_or_does_not_know_us_is_named() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(get(free, "/", "t").unwrap_err().contains("is `careline serve` running"));
        let refusing = answering("HTTP/1.1 401 Unauthorized\r\n\r\n{}");
        assert!(get(refusing, "/", "t").unwrap_err().contains("refuses the token"));
        assert_eq!(get(answering("HTTP/1.1 200 OK\r\n\r\n{}"), "/", "t").unwrap(), "{}");
    }
}
