//! What users of other products complain of (features.md §2), by number: here it never happens.
//!
//! Those that stand under a better name elsewhere: 2 and 8 in `defects` (agent and call agree; a refusal never ends the caller), 5 in
//! `defects` and `offers` (one answer; the slower of a ring-all lose nothing), 7 in `callers` and `offers` (a caller who leaves silences the
//! phone; a late answer gets a withdrawal), 10 in `defects` and in the comparison of figures with records after every scenario, 13 in
//! `reload`, 25 in `queues` (nobody who could ever serve, judged again at each log-out). 14, 17 and 18 need more than the core: the tests of
//! `metrics`, `tests/e2e` and the tests of `store`.

use crate::driver::check;

/// Pain 1, OpenSIPS #2530, #3123: an agent is locked for ever after a lost BYE.
#[test]
fn pain_1_a_dead_caller_frees_the_agent() {
    check(
        "
        queue nurse  wrap=10s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:10:00  1 vanishes            => end 1007, agent 1007 wrap-up
        09:10:10  .                     => agent 1007 ready, record 1 answered
        ",
    );
}

/// Pain 3, FreeSWITCH #1221: one agent who cannot be reached stops the distribution to all.
#[test]
fn pain_3_one_dead_phone_stops_nobody_else() {
    check(
        "
        queue nurse
        agent 1006   nurse  ready
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1006
        09:00:00  call 2 -> nurse       => ring 2 1007
        09:00:01  1006 unreachable 1    => agent 1006 not-ready station-lost
        09:00:02  1007 declines 2       => hold 1007 2 10s, ring 1 1007
        09:00:03  1007 answers 1        => bridge 1 1007
        ",
    );
}

/// Pain 4, FreeSWITCH #2511: the eighth by score is served first.
#[test]
fn pain_4_a_line_is_a_line() {
    check(
        "
        queue nurse  ring=10s
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse
        09:00:01  call 2 -> nurse
        09:00:02  call 3 -> nurse
        09:00:03  call 4 -> nurse
        09:00:10  1007 ready            => ring 1 1007
        09:00:11  1007 declines 1       => hold 1007 1 10s, ring 2 1007
        09:00:12  1007 declines 2       => hold 1007 2 10s, ring 3 1007
        09:00:21  .
        09:00:22  .                     => withdraw 3 1007 no-answer
        09:00:23  1007 ready            => ring 1 1007
        ",
    );
}

/// Pain 6, FreeSWITCH #2901, OpenACD #5: the same agent is rung twice, or while in a call.
#[test]
fn pain_6_an_agent_has_one_call_at_a_time() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse billing  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:00  call 2 -> billing
        09:00:01  call 3 -> nurse
        09:00:02  1007 answers 1        => bridge 1 1007
        09:00:30  1007 hangs up         => ring 2 1007
        ",
    );
}

/// Pain 9, FusionPBX #2831, FreeSWITCH #152: who is not there is shown as available and rung.
#[test]
fn pain_9_who_is_not_there_is_not_rung() {
    check(
        "
        queue nurse
        agent 1006   nurse  ready
        agent 1007   nurse  ready
        09:00:00  1006 station lost     => agent 1006 not-ready station-lost
        09:00:01  call 1 -> nurse       => ring 1 1007
        09:00:02  see 1006 not-ready station-lost
        ",
    );
}

/// Pain 11, FreePBX #124, Asterisk #759: talk time goes on after a transfer.
#[test]
fn pain_11_a_transfer_ends_the_first_agents_talk() {
    check(
        "
        queue nurse
        queue billing
        agent 1001   billing  ready
        agent 1007   nurse    ready
        09:00:00  call 1 -> billing       => ring 1 1001
        09:00:00  1001 answers 1          => bridge 1 1001
        09:01:00  1001 transfers -> nurse => segment 1 1001 60s 0s, ring 1 1007
        09:01:10  1007 answers 1          => bridge 1 1007
        09:03:10  1 hangs up              => segment 1 1007 120s 0s, record 1 answered
        ",
    );
}

/// Pain 12, Asterisk #607: after-call work is not honoured.
#[test]
fn pain_12_no_call_during_wrap_up() {
    check(
        "
        queue nurse    wrap=60s
        queue billing
        agent 1007   nurse billing  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:10  1 hangs up            => agent 1007 wrap-up
        09:00:11  call 2 -> billing
        09:00:12  call 3 -> nurse
        09:01:09.999  .
        09:01:10  .                     => ring 2 1007
        ",
    );
}

/// Pain 15, OpenSIPS #2974, #2978: the very first agent every time.
#[test]
fn pain_15_the_load_is_shared() {
    check(
        "
        queue nurse
        agent 1006   nurse  ready
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1006
        09:00:01  1006 answers 1        => bridge 1 1006
        09:00:02  1006 hangs up
        09:00:03  call 2 -> nurse       => ring 2 1007
        09:00:04  1007 answers 2        => bridge 2 1007
        09:00:05  1007 hangs up
        09:00:06  call 3 -> nurse       => ring 3 1006
        ",
    );
}

/// Pain 20: announcements delay the connection.
#[test]
fn pain_20_an_announcement_is_cut_when_the_agent_answers() {
    check(
        "
        slow plays
        queue nurse  comfort=5s/30s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:05  .                     => play 1 en/patience
        09:00:06  1007 answers 1        => bridge 1 1007, stop 1
        ",
    );
}

/// Pain 21, Flex #290: automation overwrites the agent's own wish.
#[test]
fn pain_21_one_authority_over_an_agents_state() {
    check(
        "
        queue nurse  wrap=10s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:05  1007 meal
        09:00:06  1007 station lost
        09:00:07  1007 station found
        09:00:20  1007 hangs up         => agent 1007 wrap-up
        09:00:30  .                     => agent 1007 not-ready meal
        ",
    );
}

/// Pain 22, Connect #391, #551: missed, rejected and failed are not told apart.
#[test]
fn pain_22_refusals_are_told_apart() {
    check(
        "
        queue nurse  ring=10s
        agent 1005   nurse  ready
        agent 1006   nurse  ready
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1005
        09:00:01  1005 declines 1       => offer 1 1005 declined, hold 1005 1 10s, ring 1 1006
        09:00:02  1006 busy 1           => offer 1 1006 busy, hold 1006 1 5s, ring 1 1007
        09:00:03  1007 unreachable 1    => offer 1 1007 unreachable, ring 1 1008
        09:00:09  1008 misses 1         => offer 1 1008 no_answer, agent 1008 not-ready ring-no-answer, ring 1 1006, agent 1006 offered
        ",
    );
}

/// Pain 24, Kazoo #6609: thrown out for ever after so many misses.
#[test]
fn pain_24_who_missed_a_call_comes_back_by_saying_so() {
    check(
        "
        queue nurse  ring=10s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:10  .                     => withdraw 1 1007 no-answer
        09:00:15  1007 ready            => ring 1 1007
        09:00:25  .                     => withdraw 1 1007 no-answer
        09:00:30  1007 ready            => ring 1 1007
        09:00:31  1007 answers 1        => bridge 1 1007
        ",
    );
}

/// "Why is this caller waiting?" has an answer for every agent.
#[test]
fn every_wait_can_be_explained() {
    check(
        "
        queue nurse  need=(licence>=1) wrap=30s
        agent 1001   nurse            ready
        agent 1005   nurse licence=1  logged-out
        agent 1006   nurse licence=1  not-ready
        agent 1007   nurse licence=1  ready
        agent 1008   nurse licence=1  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:02  call 2 -> nurse       => ring 2 1008
        09:00:03  1008 declines 2       => hold 1008 2 10s
        09:00:04  why 2 1001 LacksSkills
        09:00:04  why 2 1005 LoggedOut
        09:00:04  why 2 1006 LoggedIn
        09:00:04  why 2 1007 Talking
        09:00:04  why 2 1008 Declined
        ",
    );
}
