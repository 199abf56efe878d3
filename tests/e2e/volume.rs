//! Many callers at once are each answered and each counted once.

use super::caller::sipp;
use super::centre::Centre;
use super::network::Network;
use std::net::SocketAddr;

/// SIPp's own `uac` scenario: INVITE, a pause, BYE.
#[test]
fn twenty_callers_of_sipps_own_are_answered_and_counted_as_twenty() {
    let network = Network::new();
    let centre = Centre::start(&network, &[]);
    let address = SocketAddr::new(network.address(1), 5060);
    let mut callers = sipp(&network, address, centre.sip(), &["-sn", "uac", "-s", "+13125550100", "-m", "20", "-r", "10", "-d", "8000"]);
    centre.wait("twenty calls at once", |view| view.in_flow == 20);
    callers.succeeds();
    centre.wait("twenty calls over", |view| view.figures.calls_ended == 20);
    let figures = centre.metrics();
    assert_eq!(figures.sum("careline_calls_total", &["did=\"+13125550100\""]), 20.0);
    assert_eq!(figures.sum("careline_calls_total", &[]), 20.0);
    assert_eq!(figures.sum("careline_calls_in_progress", &[]), 0.0);
    assert_eq!(figures.sum("careline_sip_requests_total", &["method=\"INVITE\"", "code_class=\"2xx\""]), 20.0);
    let records = centre.stop();
    assert_eq!(records.len(), 20);
    assert!(records.iter().all(|record| record.answered_at.is_some() && record.disposition == "abandoned_in_flow"));
}
