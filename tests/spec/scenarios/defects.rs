//! One scenario for each defect of the field: what happened there cannot happen here.

use crate::driver::check;

/// asterisk/asterisk #176: two agents answer the same call.
#[test]
fn one_call_one_answer() {
    check(
        "
        queue nurse  strategy=ring-all
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007, ring 1 1008
        09:00:03  1008 accepts 1        => withdraw 1 1007 elsewhere, bridge 1 1008
        09:00:03  1007 late-accepts 1   => withdraw late
        09:00:03  1008 bridged 1
        09:00:04  see 1007 ready
        09:00:04  see 1008 talking
        ",
    );
}

/// asterisk/asterisk #1736: calls counted twice.
#[test]
fn one_call_is_counted_once() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse billing  ready
        09:00:00  call 1 -> nurse+billing   => ring 1 1007, enter 1 nurse, enter 1 billing
        09:00:02  1007 declines 1           => hold 1007 1 10s
        09:00:12  .                         => ring 1 1007
        09:00:14  1007 answers 1            => bridge 1 1007, leave 1 nurse answered, leave 1 billing withdrawn-elsewhere
        09:01:00  1007 hangs up             => record 1 answered
        ",
    );
}

/// signalwire/freeswitch #1973: "answered" hours after hang-up.
#[test]
fn agent_and_call_agree() {
    check(
        "
        queue nurse  wrap=30s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:03  1007 answers 1        => bridge 1 1007, agent 1007 connecting, agent 1007 talking
        09:02:00  1 hangs up            => end 1007, agent 1007 wrap-up
        09:02:00  see nurse 0
        09:02:30  .                     => agent 1007 ready, record 1 answered
        ",
    );
}

/// signalwire/freeswitch #2540, #1062; OpenSIPS/opensips #3123, #2530: an agent is stuck after a withdrawn offer.
#[test]
fn a_withdrawn_offer_frees_its_agent() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:04  1 hangs up            => withdraw 1 1007 caller-left, agent 1007 ready
        09:00:05  call 2 -> nurse       => ring 2 1007
        ",
    );
}

/// signalwire/freeswitch #1216; asterisk/asterisk #1691: music goes on beside a free agent.
#[test]
fn nobody_waits_beside_a_ready_agent_who_fits() {
    check(
        "
        queue nurse  need=(licence>=1)
        agent 1001   nurse            ready
        agent 1007   nurse licence=9  not-ready
        09:00:00  call 1 -> nurse       => music 1 nurse
        09:00:05  call 2 -> nurse
        09:00:09  1007 ready            => ring 1 1007
        09:00:10  agent 1008 nurse licence=5 ready   => ring 2 1008
        ",
    );
}

/// OpenSIPS/opensips #2679: wrap-up ends when the last agent's does.
#[test]
fn every_timer_fires_on_its_own_time() {
    check(
        "
        queue nurse  wrap=20s
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:00  call 2 -> nurse       => ring 2 1008
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:01  1008 answers 2        => bridge 2 1008
        09:00:10  1 hangs up            => agent 1007 wrap-up, end 1007
        09:00:25  2 hangs up            => agent 1008 wrap-up, end 1008
        09:00:26  call 3 -> nurse
        09:00:30  .                     => ring 3 1007, agent 1007 ready, agent 1007 offered
        09:00:45  .                     => agent 1008 ready
        ",
    );
}

/// OpenSIPS/opensips #2886: an agent's refusal ends the caller.
#[test]
fn an_agents_refusal_never_ends_the_caller() {
    check(
        "
        queue nurse  ring=15s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:03  1007 declines 1       => hold 1007 1 10s
        09:00:13  .                     => ring 1 1007
        09:00:15  1007 busy 1           => hold 1007 1 5s
        09:00:20  .                     => ring 1 1007
        09:00:21  1007 unreachable 1    => end
        09:00:30  1007 station found    => ring 1 1007
        09:00:45  .                     => withdraw 1 1007 no-answer, end
        09:00:50  1007 ready            => ring 1 1007
        09:00:52  1007 answers 1        => bridge 1 1007
        ",
    );
}

/// signalwire/freeswitch #2916, #1674: a call waits for the database. The core asks nobody: its record is a command that nothing waits for.
#[test]
fn nothing_is_asked_of_a_database() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:30  1007 hangs up         => end 1, record 1 answered, agent 1007 ready
        09:00:30  call 2 -> nurse       => ring 2 1007
        ",
    );
}
