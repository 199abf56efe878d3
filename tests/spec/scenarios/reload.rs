//! A configuration that changes under way loses nobody and nothing.

use crate::driver::check;

/// asterisk/asterisk #1255, QPanel #113: members, statistics and after-call work are lost on reload.
#[test]
fn a_reload_loses_nothing() {
    check(
        "
        queue nurse  wrap=30s ring=15s
        agent 1006   nurse  ready
        agent 1007   nurse  ready
        agent 1008   nurse  not-ready
        09:00:00  call 1 -> nurse       => ring 1 1006
        09:00:00  call 2 -> nurse       => ring 2 1007
        09:00:00  call 3 -> nurse
        09:00:01  1006 answers 1        => bridge 1 1006
        09:00:10  1006 hangs up         => agent 1006 wrap-up
        09:00:12  queue nurse service=30s
        09:00:13  see 1006 wrap-up
        09:00:13  see 1007 offered
        09:00:13  see nurse 2
        09:00:15  .                     => withdraw 2 1007 no-answer
        09:00:40  .                     => ring 2 1006, record 1 answered
        ",
    );
}

#[test]
fn a_new_ring_time_is_that_of_the_next_offer() {
    check(
        "
        queue nurse  ring=15s
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:05  queue nurse ring=5s
        09:00:14.999  .
        09:00:15  .                     => withdraw 1 1007 no-answer, ring 1 1008
        09:00:20  .                     => withdraw 1 1008 no-answer
        ",
    );
}

#[test]
fn an_agent_who_is_taken_from_the_list_is_logged_out_when_idle() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  not-ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:05  remove agent 1007
        09:00:10  1007 hangs up         => agent 1007 logged-out, record 1 answered
        ",
    );
}

#[test]
fn a_queue_that_is_taken_from_the_list_serves_who_waits() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse billing  not-ready
        09:00:00  call 1 -> billing
        09:00:05  remove queue billing
        09:00:10  1007 ready            => ring 1 1007
        ",
    );
}

#[test]
fn closing_a_queue_sends_who_waits_on() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse billing  not-ready
        09:00:00  call 1 -> billing then=nurse
        09:00:05  queue billing closed          => leave 1 billing overflowed, enter 1 nurse
        ",
    );
}

#[test]
fn a_skill_gained_is_used_at_once() {
    check(
        "
        queue nurse  need=(licence>=1)
        agent 1007   nurse            ready
        agent 1008   nurse licence=1  not-ready
        09:00:00  call 1 -> nurse
        09:00:05  agent 1007 nurse licence=3 ready   => ring 1 1007
        ",
    );
}
