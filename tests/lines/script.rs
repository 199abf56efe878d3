//! A SIPp scenario, written with a few words that stand for what every message has.
//!
//! `{{NEW METHOD n}}` begins a call's request (`SPENT`: without a hop left; `DIAL`: a station's), `{{IN METHOD n}}` one within the call, `{{STATION METHOD n}}` one
//! of a station within its call, `{{BACK METHOD n k}}` the ACK or CANCEL of the request that stands k elements before. `{{REPLY code tag}}`
//! answers the last request, `{{KEPT code tag}}` the one kept by `{{KEEP}}`. `{{SDP direction}}` describes sound, `{{END}}` ends a message
//! without. `{{SEE regex}}` in a `recv` says what must stand in the message; `{{TAG}}` keeps its sender's tag.

use crate::network::Network;
use crate::process::Process;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lines");
const VIA: &str = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\nMax-Forwards: 70";
const CALLER: &str = "From: <sip:+13125550123@[local_ip]:[local_port]>;tag=[call_number]";
const CONTACT: &str = "Contact: <sip:sipp@[local_ip]:[local_port]>";
const KEPT: [(&str, &str); 4] = [("via", "Via"), ("from", "From"), ("to", "To"), ("cseq", "CSeq")];
const SOUND: &str = "v=0\no=sipp 1 1 IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n\
                     m=audio [media_port] RTP/AVP 0 101\na=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000";

/// Starts a scenario of this folder at the test's address `index`, towards `remote`. Keys are `-key NAME VALUE` of SIPp.
pub fn start(network: &Network, index: u8, remote: SocketAddr, name: &str, arguments: &[&str]) -> Process {
    let (local, directory) = (network.address(index).to_string(), network.directory());
    let text =
        std::fs::read_to_string(Path::new(FOLDER).join(name).with_extension("xml")).unwrap_or_else(|error| panic!("{name}: {error}"));
    let stem = format!("{}-{index}", name.replace('/', "-"));
    let scenario = directory.join(&stem).with_extension("xml");
    std::fs::write(&scenario, expand(&text)).expect("the test's directory takes a file");
    let errors = std::fs::File::create(directory.join(&stem).with_extension("errors")).expect("the test's directory takes a file");
    let mut command = Command::new("sipp");
    command.arg(remote.to_string()).args(["-i", &local, "-mi", &local, "-p", "5060", "-m", "1", "-nostdin"]);
    command.args(["-timeout", "45s", "-timeout_error", "-recv_timeout", "15000", "-sf"]).arg(&scenario).args(arguments);
    command.args(["-trace_msg", "-message_file"]).arg(directory.join(&stem).with_extension("log"));
    command.args(["-trace_err", "-error_file"]).arg(directory.join(&stem).with_extension("wrong"));
    Process::start(command.current_dir(directory).stderr(errors))
}

fn expand(text: &str) -> String {
    let mut out = String::new();
    let mut variables = Vec::new();
    let mut parts = text.split("{{");
    out += parts.next().unwrap_or_default();
    for part in parts {
        let (word, rest) = part.split_once("}}").expect("what is opened is closed");
        let (verb, tail) = word.split_once(' ').unwrap_or((word, ""));
        write_word(&mut out, &mut variables, verb, tail);
        out += rest;
    }
    // SIPp wants every variable used twice.
    variables.extend(text.contains("[$rseq]").then(|| "rseq".to_string()));
    let used = if variables.is_empty() { String::new() } else { format!("<Reference variables=\"{}\"/>\n", variables.join(",")) };
    out.replace("</scenario>", &format!("{used}</scenario>"))
}

fn write_word(out: &mut String, variables: &mut Vec<String>, verb: &str, tail: &str) {
    let (new, within) = ("sip:[service]@[remote_ip]:[remote_port]", "To: <sip:[service]@[remote_ip]:[remote_port]>");
    let to = format!("{within}[peer_tag_param]");
    let keep = |name: &str, header: &str| {
        format!(
            "<ereg regexp=\"{}\" search_in=\"hdr\" header=\"{header}:\" assign_to=\"{name}\"/>",
            if name == "whole,tag" { ";tag=([^;[:space:]]+)" } else { ".*" }
        )
    };
    match verb {
        "NEW" => *out += &request(new, tail, CALLER, within),
        "DIAL" => {
            let from = "From: <sip:1004@[local_ip]:[local_port]>;tag=[call_number]";
            *out += &request(new, tail, from, within);
        }
        "SPENT" => *out += &request(new, tail, CALLER, within).replace("Max-Forwards: 70", "Max-Forwards: 0"),
        "IN" => *out += &request("[next_url]", tail, CALLER, &to).replace("From:", "[routes]\nFrom:"),
        "BACK" => {
            let (what, back) = tail.rsplit_once(' ').expect("how far back");
            let to = if what.starts_with("CANCEL") { within } else { &to };
            *out += &request(new, what, CALLER, to).replace("[branch]", &format!("[branch-{back}]"));
        }
        "STATION" => {
            let from = "From: <sip:station@[local_ip]:[local_port]>;tag=s[call_number]";
            *out += &request("sip:[remote_ip]:[remote_port]", tail, from, "To: <sip:careline@[remote_ip]>;tag=[$tag]");
        }
        "REPLY" => {
            let (code, tag) = tail.split_once(' ').map_or((tail, String::new()), |(code, tag)| (code, format!(";tag={tag}")));
            let _ = write!(
                out,
                "SIP/2.0 {code} Answered\n[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]\n{CONTACT}"
            );
        }
        "KEEP" => {
            *out += "<action>";
            for (name, header) in KEPT {
                *out += &keep(name, header);
                variables.push(name.to_string());
            }
            *out += "</action>";
        }
        "KEPT" => {
            let (code, tag) = tail.split_once(' ').map_or((tail, String::new()), |(code, tag)| (code, format!(";tag={tag}")));
            let _ =
                write!(out, "SIP/2.0 {code} Answered\nVia:[$via]\nFrom:[$from]\nTo:[$to]{tag}\n[last_Call-ID:]\nCSeq:[$cseq]\n{CONTACT}");
        }
        "SDP" => {
            let _ = write!(out, "Content-Type: application/sdp\nContent-Length: [len]\n\n{SOUND}\na={tail}\n");
        }
        "END" => *out += "Content-Length: 0\n\n",
        "TAG" => {
            let _ = write!(out, "<action>{}</action>", keep("whole,tag", "From"));
            variables.extend(["whole".to_string(), "tag".to_string()]);
        }
        "SEE" => {
            let name = format!("c{}", variables.len());
            let _ = write!(out, "<action><ereg regexp=\"{tail}\" search_in=\"msg\" check_it=\"true\" assign_to=\"{name}\"/></action>");
            variables.push(name);
        }
        other => panic!("what is {other:?}?"),
    }
}

fn request(uri: &str, tail: &str, from: &str, to: &str) -> String {
    let (method, number) = tail.split_once(' ').expect("a method and its number");
    format!("{method} {uri} SIP/2.0\n{VIA}\n{from}\n{to}\nCall-ID: [call_id]\nCSeq: {number} {method}\n{CONTACT}")
}
