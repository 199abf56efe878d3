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
    // From before the start: a signal that comes early is not lost.
    super::block_on(async {
        let mut reload = signal(SignalKind::hangup()).expect("a process may listen for its signals");
        match node::start(loaded) {
            Ok(centre) => serve(centre, &mut reload).await,
            Err(error) => failed(&error),
        }
    })
}

async fn serve(centre: Centre, reload: &mut Signal) -> ExitCode {
    tracing::info!(sip = %centre.sip(), http = %centre.http(), "taking calls");
    let mut told = Box::pin(super::interrupted());
    loop {
        tokio::select! {
            _ = reload.recv() => drop(centre.reload().await),
            () = &mut told => break,
            () = centre.died() => return failed("the signalling thread has ended: start the centre anew"),
        }
    }
    tokio::select! {
        () = centre.drain() => {}
        () = super::interrupted() => tracing::info!("told again: ending the calls that are left"),
    }
    tracing::info!("stopping");
    centre.stop().await;
    ExitCode::SUCCESS
}
