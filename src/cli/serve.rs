//! `careline serve`: one centre, until it is told to stop.

use super::failed;
use crate::node::{self, Centre};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Takes calls until SIGINT or SIGTERM: then no new ones, and those alive go on for a while; a second signal ends them. SIGHUP reads the
/// configuration again.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The centre's configuration
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
    /// Listen on this address instead of the configured ones (the ports stay)
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<IpAddr>,
}

pub fn run(args: &Args) -> ExitCode {
    super::log_to_stderr();
    let mut loaded = match super::load(&args.config) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if let Some(address) = args.listen {
        loaded.adjust(move |loaded| loaded.server.listen_on(address));
    }
    super::block_on(async {
        let signals = Signals::listen();
        match node::start(loaded) {
            Ok(centre) => serve(centre, signals).await,
            Err(error) => failed(&error),
        }
    })
}

/// Listened to from before the start to the end: none that comes early, or soon after another, is lost.
struct Signals {
    reload: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Signals {
        let listen = |kind| signal(kind).expect("a process may listen for its signals");
        Signals {
            reload: listen(SignalKind::hangup()),
            terminate: listen(SignalKind::terminate()),
            interrupt: listen(SignalKind::interrupt()),
        }
    }

    /// Waits for the next word to stop.
    async fn stop(terminate: &mut Signal, interrupt: &mut Signal) {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

async fn serve(centre: Centre, signals: Signals) -> ExitCode {
    let Signals { mut reload, mut terminate, mut interrupt } = signals;
    tracing::info!(sip = %centre.sip(), http = %centre.http(), "taking calls");
    loop {
        tokio::select! {
            _ = reload.recv() => drop(centre.reload().await),
            () = Signals::stop(&mut terminate, &mut interrupt) => break,
            () = centre.died() => return failed("the signalling thread has ended: start the centre anew"),
        }
    }
    tokio::select! {
        () = centre.drain() => {}
        () = Signals::stop(&mut terminate, &mut interrupt) => tracing::info!("told again: ending the calls that are left"),
    }
    tracing::info!("stopping");
    centre.stop().await;
    ExitCode::SUCCESS
}
