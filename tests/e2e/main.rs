//! End to end: callers by SIPp, agents by baresip, and what each of them heard.

mod caller;
mod centre;
mod codes;
mod drained;
mod ear;
mod fault;
mod linphone;
mod names;
mod network;
mod outward;
mod phone;
mod process;
mod reached;
mod recorded;
mod refused;
mod reload;
mod short;
mod sound;
mod stations;
mod stopped;
mod strangers;
mod vanished;
mod volume;
mod ways;

use caller::Caller;
use network::Network;
use phone::Phone;
use std::time::Duration;

/// The instruments first: a caller and a telephone, with nothing between them.
#[test]
fn the_instruments_hear_each_other() {
    let network = Network::new();
    let mut phone = Phone::start_alone(&network, 0, 1004, 700.0);
    let mut caller = Caller::dial(&network, 1, phone.address(), "1004");
    phone.rings();
    phone.accept();
    caller.ear.tone(440.0);
    caller.ear.listen_until(0, "the phone's tone", |heard| sound::tone_ms(heard, 700.0) >= 1_000);
    caller.ear.listen(Duration::from_secs(1));
    assert!(caller.is_connected() && !phone.has_rung());
    caller.hang_up();
    phone.call_ends();
    let recordings = phone.heard();
    assert_eq!(recordings.len(), 1);
    assert!(sound::tone_ms(&recordings[0], 440.0) >= 1_000, "the phone heard the caller's tone");
}
