//! Offers: refusals, their holds, ringing out, ring-all and one more at a time.

use crate::driver::check;

#[test]
fn a_refused_call_keeps_its_place() {
    check(
        "
        queue nurse  ring=15s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse          => ring 1 1007
        09:00:05  call 2 -> nurse
        09:00:10  1007 declines 1          => hold 1007 1 10s, ring 2 1007
        09:00:12  agent 1008 nurse ready   => ring 1 1008
        ",
    );
}

#[test]
fn a_decline_keeps_that_agent_and_that_call_apart_for_ten_seconds() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:02  1007 declines 1       => hold 1007 1 10s, agent 1007 ready
        09:00:11.999  .
        09:00:12  .                     => ring 1 1007
        ",
    );
}

#[test]
fn a_busy_station_is_asked_again_after_five_seconds() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:02  1007 busy 1           => hold 1007 1 5s
        09:00:06.999  .
        09:00:07  .                     => ring 1 1007
        ",
    );
}

/// RONA: the agent is not at the desk, and the next caller must not wait for it to ring again.
#[test]
fn ringing_out_makes_an_agent_not_ready() {
    check(
        "
        queue nurse  ring=15s
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:14.999  .
        09:00:15  .                     => withdraw 1 1007 no-answer, agent 1007 not-ready ring-no-answer, ring 1 1008, agent 1008 offered
        09:00:16  see 1007 not-ready ring-no-answer
        09:00:20  1007 ready
        09:00:21  call 2 -> nurse       => ring 2 1007
        ",
    );
}

/// The station may notice first, with a 480 or 408 of its own.
#[test]
fn a_station_that_gives_up_by_itself_has_rung_out_too() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:10  1007 misses 1         => agent 1007 not-ready ring-no-answer
        ",
    );
}

#[test]
fn the_rules_say_how_many_may_ring_out() {
    check(
        "
        rules no_answers=2 declined=3s
        queue nurse  ring=10s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:10  .                     => withdraw 1 1007 no-answer, ring 1 1007
        09:00:15  see 1007 offered
        09:00:20  .                     => withdraw 1 1007 no-answer
        09:00:20  see 1007 not-ready ring-no-answer
        ",
    );
}

#[test]
fn an_answer_clears_the_count_of_those_that_rang_out() {
    check(
        "
        rules no_answers=2
        queue nurse  ring=10s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:10  .                     => withdraw 1 1007 no-answer, ring 1 1007
        09:00:12  1007 answers 1        => bridge 1 1007
        09:00:20  1007 hangs up
        09:00:30  call 2 -> nurse       => ring 2 1007
        09:00:40  .                     => withdraw 2 1007 no-answer, ring 2 1007
        ",
    );
}

#[test]
fn a_dead_phone_is_not_rung_until_its_station_is_found() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 unreachable 1    => agent 1007 not-ready station-lost
        09:10:00  1007 station found    => agent 1007 ready, ring 1 1007, agent 1007 offered
        ",
    );
}

#[test]
fn ring_all_rings_everybody_who_fits() {
    check(
        "
        queue nurse  strategy=ring-all need=(licence>=1)
        agent 1001   nurse            ready
        agent 1007   nurse licence=9  ready
        agent 1008   nurse licence=9  ready
        09:00:00  call 1 -> nurse       => ring 1 1007, ring 1 1008
        09:00:02  1007 declines 1       => hold 1007 1 10s
        09:00:04  1008 answers 1        => bridge 1 1008
        ",
    );
}

/// Nobody is punished for another's speed: the loser is idle for as long as before.
#[test]
fn the_slower_agents_of_a_ring_all_lose_nothing() {
    check(
        "
        queue nurse  strategy=ring-all
        queue billing
        agent 1007   nurse billing  ready
        agent 1006   billing        ready
        agent 1008   nurse          ready
        09:00:00  call 1 -> nurse       => ring 1 1007, ring 1 1008
        09:00:03  1008 answers 1        => withdraw 1 1007 elsewhere, bridge 1 1008
        09:00:10  call 2 -> billing     => ring 2 1007
        ",
    );
}

#[test]
fn an_agent_who_becomes_ready_joins_a_ring_all() {
    check(
        "
        queue nurse  strategy=ring-all
        agent 1007   nurse  ready
        agent 1008   nurse  not-ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:03  1008 ready            => ring 1 1008
        ",
    );
}

/// asterisk/asterisk #313, #1557: all others were dropped when the first who answered left before the bridge.
#[test]
fn when_the_winner_fails_before_the_bridge_the_caller_waits_on() {
    check(
        "
        queue nurse  strategy=ring-all whisper
        agent 1007   nurse language=en  ready
        agent 1008   nurse language=en  ready
        09:00:00  call 1 -> nurse       => ring 1 1007, ring 1 1008
        09:00:03  1008 accepts 1        => withdraw 1 1007 elsewhere, play 1008 en/whisper_nurse_en
        09:00:04  1008 hangs up         => hold 1008 1 10s, ring 1 1007
        09:00:06  1007 answers 1        => bridge 1 1007
        ",
    );
}

#[test]
fn progressive_rings_one_more_after_each_step() {
    check(
        "
        queue nurse  strategy=progressive step=5s ring=30s
        agent 1006   nurse  ready
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1006
        09:00:04.999  .
        09:00:05  .                     => ring 1 1007
        09:00:10  .                     => ring 1 1008
        09:00:12  1007 answers 1        => withdraw 1 1006 elsewhere, withdraw 1 1008 elsewhere, bridge 1 1007
        ",
    );
}

/// The answer and our withdrawal crossed: the station is told again, and the agent is free.
#[test]
fn an_answer_that_comes_too_late_is_answered_with_a_withdrawal() {
    check(
        "
        queue nurse  ring=10s
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse         => ring 1 1007
        09:00:10  .                       => withdraw 1 1007 no-answer, ring 1 1008
        09:00:10.05  1007 late-accepts 1   => withdraw late
        09:00:12  1008 answers 1          => bridge 1 1008
        ",
    );
}

#[test]
fn a_bridge_that_never_comes_is_given_up() {
    check(
        "
        rules bridge=10s
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:02  1007 accepts 1        => bridge 1 1007
        09:00:12  .                     => withdraw 1 1007 moved, ring 1 1008
        09:00:13  see 1007 not-ready station-lost
        ",
    );
}

#[test]
fn an_agent_whose_leg_ends_before_the_bridge_has_declined() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:02  1007 accepts 1        => bridge 1 1007
        09:00:03  1007 hangs up         => hold 1007 1 10s, agent 1007 ready
        09:00:13  .                     => ring 1 1007
        ",
    );
}

#[test]
fn an_agent_who_vanishes_before_the_bridge_is_unreachable() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:02  1007 accepts 1        => bridge 1 1007
        09:00:03  1007 vanishes         => agent 1007 not-ready station-lost, ring 1 1008, agent 1008 offered
        ",
    );
}

#[test]
fn the_agent_hears_queue_and_language_before_the_bridge() {
    check(
        "
        queue billing  whisper
        agent 1004   billing language=en  ready
        09:00:00  call 1 -> billing language=es   => ring 1 1004
        09:00:02  1004 accepts 1                  => play 1004 en/whisper_billing_es
        09:00:04  1004 whisper heard              => bridge 1 1004, silence 1
        09:00:04  1004 bridged 1                  => agent 1004 talking, leave 1 billing answered
        ",
    );
}

/// A want of ours, not of the agent's: no blame, no lost idle time, and one attempt a second instead of a storm of them.
#[test]
fn an_offer_that_we_could_not_place_blames_nobody() {
    check(
        "
        queue nurse
        rules no_answers=1
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:00  1007 fails 1          => offer 1 1007 shortage, agent 1007 ready, hold, leave, end
        09:00:00.5  why 1 1008 Paused
        09:00:00.6  call 2 -> nurse     => ring 2 1007
        09:00:00.7  2 hangs up          => withdraw 2 1007 caller-left
        09:00:01  .                     => ring 1 1007
        09:00:01  1007 fails 1          => offer 1 1007 shortage
        09:00:01.5  call 3 -> nurse     => ring 3 1007
        09:00:02  .                     => ring 1 1008
        ",
    );
}

/// Who rings already goes on ringing; nobody else is tried until the second is over.
#[test]
fn ring_all_tries_again_a_second_after_a_shortage() {
    check(
        "
        queue nurse  strategy=ring-all
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007, ring 1 1008
        09:00:02  1007 fails 1          => agent 1007 ready
        09:00:02.5  1008 declines 1     => hold 1008 1 10s
        09:00:03  .                     => ring 1 1007
        09:00:04  1007 fails 1
        09:00:04.5  1 hangs up          => record 1 abandoned
        09:00:06  .
        ",
    );
}

/// In another queue too, once the caller's key has moved them there.
#[test]
fn a_shortage_goes_with_the_caller() {
    check(
        "
        queue billing
        queue nurse
        agent 1007   billing  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> billing 9=nurse  => ring 1 1007
        09:00:00  1007 fails 1
        09:00:00.3  1 presses 9         => enter 1 nurse
        09:00:01  .                     => ring 1 1008
        ",
    );
}
