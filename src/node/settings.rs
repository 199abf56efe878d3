//! The configuration in each edge's own words: edges never import one another, so nobody else can say it.

use crate::acd::Config;
use crate::config::{OnRegister, Secret, Server, Transports};
use crate::model::AgentId;
use crate::{media, sip};
use std::collections::BTreeMap;

pub fn sip(server: &Server, centre: &Config) -> sip::Settings {
    let realm = server.sip.realm.to_string();
    let trunk = |trunk: &crate::config::Trunk| sip::Trunk {
        name: trunk.name.clone(),
        addresses: trunk.addresses.clone(),
        peers: trunk.peers.iter().map(peer).collect(),
        register: trunk.register.as_ref().map(|own| sip::Registration {
            registrar: peer(&own.registrar),
            domain: own.domain.clone(),
            seconds: seconds(own.lifetime),
        }),
        health: trunk.health.map(|own| sip::Health { every: own.every, misses: own.misses }),
        account: trunk.account.as_ref().map(|own| sip::Account { user: own.user.clone(), password: own.password.0.clone() }),
    };
    let user = |(agent, account): (&crate::model::AgentId, &crate::config::Credentials)| {
        let user = agent.to_string();
        let credentials = sip::Credentials::new(&user, &realm, &account.password.0);
        (user, credentials)
    };
    let limits = &server.sip.limits;
    sip::Settings {
        trunks: server.sip.trunks.iter().map(trunk).collect(),
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

fn peer(peer: &crate::config::trunks::Peer) -> sip::Peer {
    sip::Peer { address: peer.address, transport: if peer.tcp { sip::Transport::Tcp } else { sip::Transport::Udp } }
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
