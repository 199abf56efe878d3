//! `careline serve`: one centre, until it is told to stop.

use super::failed;
use crate::node;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Takes calls until SIGINT or SIGTERM.
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
        loaded.server.listen_on(address);
    }
    let centre = match node::start(loaded) {
        Ok(centre) => centre,
        Err(error) => return failed(&error),
    };
    tracing::info!(sip = %centre.sip(), http = %centre.http(), "taking calls");
    super::block_on(async {
        tokio::select! {
            () = super::interrupted() => {}
            () = centre.died() => return failed("the signalling thread has ended: start the centre anew"),
        }
        tracing::info!("stopping");
        centre.stop().await;
        ExitCode::SUCCESS
    })
}
