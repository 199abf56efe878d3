//! A new configuration under a running centre: read and checked beside the calls, taken between two of them.

use super::settings;
use crate::acd;
use crate::config::{self, Diff, Loaded};
use crate::media::Library;
use crate::sip;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What is in force: as it was read, and as the core has it, which keeps what calls alive still need.
pub struct InForce {
    pub loaded: Loaded,
    pub centre: Arc<acd::Config>,
}

/// A configuration for the loop to take.
pub struct Reload {
    pub loaded: Loaded,
    /// The stack's settings, with the digests of the passwords made.
    pub sip: sip::Settings,
    /// `None`: the prompts are those that are loaded.
    pub library: Option<Arc<Library>>,
    pub taken: oneshot::Sender<()>,
}

/// What a reload came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    pub diff: Diff,
    /// Settings that stay as they were until the centre is started anew.
    pub kept: Vec<&'static str>,
}

/// Reads what is to follow `in_force`, on a thread that may wait for a disk; or all that is wrong with it.
pub fn read(in_force: &Loaded, taken: oneshot::Sender<()>) -> Result<(Reload, Reloaded), Vec<String>> {
    let mut loaded = in_force.again(config::now()).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let diff = in_force.parts.until(&loaded.parts);
    let kept = loaded.server.keep_what_needs_a_restart(&in_force.server);
    let library = diff.prompts().then(|| Library::load(&loaded.server.prompts_dir)).transpose()?.map(Arc::new);
    let sip = settings::sip(&loaded.server, &loaded.centre);
    Ok((Reload { loaded, sip, library, taken }, Reloaded { diff, kept }))
}
