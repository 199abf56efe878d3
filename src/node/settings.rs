//! The configuration in each edge's own words: edges never import one another, so nobody else can say it.

use super::names::Addresses;
use crate::acd::Config;
use crate::config::trunks::{Host, Peer};
use crate::config::{OnRegister, Secret, Server, Transports};
use crate::model::AgentId;
use crate::{media, sip};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub fn sip(server: &Server, centre: &Config) -> sip::Settings {
    let realm = server.sip.realm.to_string();
    let user = |(agent, account): (&crate::model::AgentId, &crate::config::Credentials)| {
        let user = agent.to_string();
        let credentials = sip::Credentials::new(&user, &realm, &account.password.0);
        (user, credentials)
    };
    let limits = &server.sip.limits;
    sip::Settings {
        trunks: trunks(server, &Addresses::new()),
        numbers: Some(centre.numbers.keys().map(|number| number.to_string()).collect()),
        users: server.agents.iter().map(user).collect(),
        sessions: sip::Sessions { interval: seconds(server.sip.session_expires), least: seconds(server.sip.session_min) },
        limits: sip::Limits {
            transactions: limits.transactions as usize,
            transactions_per_source: limits.transactions_per_source as usize,
            dialogs: limits.dialogs as usize,
            contacts: limits.contacts as usize,
            challenges: limits.challenges,
            message: limits.message as usize,
            headers: limits.headers as usize,
            // A station that could not be reached is rung again once it has registered: it must do so before long.
            expires_max: 300,
            probe: server.sip.probe_timeout,
            ..sip::Limits::default()
        },
        tcp: transports(server).contains(&sip::Transport::Tcp),
        realm,
    }
}

fn seconds(span: std::time::Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

/// The names that somebody must look up.
pub fn names(server: &Server) -> BTreeSet<Arc<str>> {
    server.sip.trunks.iter().flat_map(crate::config::Trunk::names).cloned().collect()
}

/// The trunks, as far as their names are known.
pub fn trunks(server: &Server, known: &Addresses) -> Vec<sip::Trunk> {
    server.sip.trunks.iter().map(|own| trunk(own, server, known)).collect()
}

fn trunk(own: &crate::config::Trunk, server: &Server, known: &Addresses) -> sip::Trunk {
    let addresses = |peer: &Peer| peer_addresses(peer, server, known);
    let peers: Vec<sip::Peer> = own.peers.iter().flat_map(addresses).collect();
    let register = own.register.as_ref().and_then(|register| {
        let registrar = addresses(&register.registrar).into_iter().next()?;
        Some(sip::Registration { registrar, domain: register.domain.clone(), seconds: seconds(register.lifetime) })
    });
    sip::Trunk {
        name: own.name.clone(),
        addresses: own.addresses.clone(),
        unknown: !own.peers.is_empty() && peers.is_empty() || own.register.is_some() != register.is_some(),
        peers,
        register,
        health: own.health.map(|own| sip::Health { every: own.every, misses: own.misses }),
        account: own.account.as_ref().map(|own| sip::Account { user: own.user.clone(), password: own.password.0.clone() }),
    }
}

/// Of the families that we speak; all that a name leads to, one after the other.
fn peer_addresses(peer: &Peer, server: &Server, known: &Addresses) -> Vec<sip::Peer> {
    let transport = if peer.tcp { sip::Transport::Tcp } else { sip::Transport::Udp };
    let at = |address: IpAddr| sip::Peer { address: SocketAddr::new(address, peer.port), transport };
    let spoken = |address: &&IpAddr| server.sip.listen.iter().any(|own| own.is_ipv4() == address.is_ipv4());
    match &peer.host {
        Host::Address(address) => vec![at(*address)],
        Host::Name(name) => known.get(name).into_iter().flatten().filter(spoken).map(|address| at(*address)).collect(),
    }
}

/// What carries SIP.
pub fn transports(server: &Server) -> &'static [sip::Transport] {
    match server.sip.transports {
        Transports::Both => &[sip::Transport::Udp, sip::Transport::Tcp],
        Transports::Udp => &[sip::Transport::Udp],
        Transports::Tcp => &[sip::Transport::Tcp],
    }
}

pub fn streams(server: &Server) -> sip::Streams {
    let limits = &server.sip.limits;
    sip::Streams {
        connections: limits.connections as usize,
        per_source: limits.connections_per_source as usize,
        message: limits.message as usize,
        headers: limits.headers as usize,
        idle: limits.idle,
        half: limits.half_message,
    }
}

pub fn media(server: &Server) -> media::Settings {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    media::Settings { addresses: server.media.addresses.clone(), ports: server.media.ports.clone(), workers, silence: server.media.silence }
}

pub fn journal(server: &Server) -> crate::store::journal::Settings {
    let crate::config::journal::Journal { roll, keep, size } = server.journal;
    crate::store::journal::Settings { roll, keep, size }
}

pub fn ready_on_register(server: &Server) -> bool {
    server.on_register == OnRegister::Ready
}

/// Who may log in by telephone, and with what.
pub fn pins(server: &Server) -> BTreeMap<AgentId, Secret> {
    server.agents.iter().filter_map(|(agent, account)| Some((*agent, account.pin.clone()?))).collect()
}
