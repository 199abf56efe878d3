//! Queues: longest wait, longest queue, the ladder, several at once, and leaving when nobody could ever serve.

use crate::driver::check;

/// The boundary is part of short: exactly five seconds is, a microsecond more is not.
#[test]
fn an_abandonment_after_just_the_short_wait_is_short() {
    check(
        "
        queue nurse  short=5s
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse
        09:00:05  1 hangs up            => leave 1 nurse abandoned
        09:00:05  see nurse short 1
        09:01:00  call 2 -> nurse
        09:01:05.000001  2 hangs up     => leave 2 nurse abandoned
        09:01:06  see nurse short 1
        ",
    );
}

#[test]
fn after_the_longest_wait_the_flow_goes_on() {
    check(
        "
        queue nurse    max_wait=60s
        queue billing
        agent 1007   nurse    not-ready
        agent 1001   billing  not-ready
        09:00:00  call 1 -> nurse then=billing
        09:00:59.999  .
        09:01:00  .                     => leave 1 nurse overflowed, enter 1 billing, music 1 billing
        ",
    );
}

#[test]
fn a_flow_may_wait_less_long_than_its_queue() {
    check(
        "
        queue nurse  max_wait=60s
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse max_wait=20s
        09:00:20  .                     => leave 1 nurse overflowed, play 1 en/goodbye, end 1, record 1 completed-in-flow
        ",
    );
}

/// Whoever rings keeps ringing: the longest wait ends who waits, and nobody is cut off at the last moment.
#[test]
fn the_place_is_kept_through_an_overflow() {
    check(
        "
        queue nurse    max_wait=60s
        queue billing
        agent 1007   nurse    not-ready
        agent 1001   billing  not-ready
        09:00:00  call 1 -> nurse then=billing
        09:00:30  call 2 -> billing
        09:01:00  .
        09:01:05  1001 ready            => ring 1 1001
        ",
    );
}

#[test]
fn a_full_queue_takes_no_more() {
    check(
        "
        queue nurse    calls_max=1
        queue billing
        agent 1007   nurse    not-ready
        agent 1001   billing  not-ready
        09:00:00  call 1 -> nurse               => enter 1 nurse
        09:00:01  call 2 -> nurse then=billing  => enter 2 billing
        09:00:02  1 hangs up
        09:00:03  call 3 -> nurse               => enter 3 nurse
        ",
    );
}

#[test]
fn a_closed_queue_sends_its_callers_on() {
    check(
        "
        queue nurse    closed
        queue billing
        agent 1007   nurse    ready
        agent 1001   billing  not-ready
        09:00:00  call 1 -> nurse then=billing  => enter 1 billing
        ",
    );
}

#[test]
fn nobody_waits_for_whom_nobody_logged_in_could_ever_serve() {
    check(
        "
        queue nurse    need=(licence>=1)
        queue billing
        agent 1001   nurse billing        not-ready
        agent 1007   nurse licence=9      logged-out
        09:00:00  call 1 -> nurse then=billing  => enter 1 billing
        09:00:10  1007 logs in
        09:00:11  call 2 -> nurse then=billing  => enter 2 nurse
        ",
    );
}

/// Kazoo #1334: an empty queue traps callers when the last agent leaves.
#[test]
fn and_that_is_judged_again_at_each_log_out() {
    check(
        "
        queue nurse    need=(licence>=1)
        queue billing
        agent 1001   nurse billing    not-ready
        agent 1007   nurse licence=9  not-ready
        agent 1008   nurse licence=2  not-ready
        09:00:00  call 1 -> nurse then=billing  => enter 1 nurse
        09:00:10  1007 logs out                 => agent 1007 logged-out
        09:00:20  1008 logs out                 => leave 1 nurse overflowed, enter 1 billing
        ",
    );
}

#[test]
fn an_agent_on_a_break_or_without_a_station_could_still_serve() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  1007 station lost
        09:00:01  call 1 -> nurse       => enter 1 nurse
        09:00:02  1007 break
        09:00:03  see nurse 1
        ",
    );
}

#[test]
fn the_ladder_lowers_what_is_needed_step_by_step() {
    check(
        "
        queue nurse  need=(cardiology>=5)
        ladder nurse 30s relax (cardiology>=5) to (cardiology>=1)
        ladder nurse 60s relax (cardiology>=1) to anybody
        agent 1006   nurse cardiology=9  not-ready
        agent 1007   nurse cardiology=2  ready
        agent 1008   nurse               ready
        09:00:00  call 1 -> nurse
        09:00:00  call 2 -> nurse
        09:00:29.999  .
        09:00:30  .                     => ring 1 1007
        09:00:59.999  .                 => withdraw 1 1007 no-answer
        09:01:00  .                     => ring 1 1008
        ",
    );
}

/// A licence is the law's, not the queue's: no wait makes it dispensable.
#[test]
fn a_licence_is_never_relaxed() {
    check(
        "
        skill licence  licence
        queue nurse  need=(licence>=1 and cardiology>=5)
        ladder nurse 30s relax (licence>=1 and cardiology>=5) to anybody
        agent 1001   nurse                         ready
        agent 1007   nurse licence=5 cardiology=9  not-ready
        09:00:00  call 1 -> nurse
        09:05:00  .
        09:05:01  1007 ready            => ring 1 1007
        ",
    );
}

#[test]
fn the_ladder_raises_the_class() {
    check(
        "
        queue nurse
        ladder nurse 30s raise high
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse class=low
        09:00:10  call 2 -> nurse
        09:00:30  .                     => rank 1 high
        09:00:35  1007 ready            => ring 1 1007
        ",
    );
}

#[test]
fn the_ladder_never_lowers_a_class() {
    check(
        "
        queue nurse
        ladder nurse 30s raise high
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse class=high
        09:00:10  call 2 -> nurse class=urgent
        09:00:50  1007 ready            => ring 2 1007
        ",
    );
}

#[test]
fn the_ladder_widens_to_another_queue() {
    check(
        "
        queue nurse
        queue billing
        ladder nurse 30s widen billing
        agent 1007   nurse    not-ready
        agent 1001   billing  ready
        09:00:00  call 1 -> nurse
        09:00:29.999  .
        09:00:30  .                     => enter 1 billing, ring 1 1001
        09:00:32  1001 answers 1        => bridge 1 1001, leave 1 billing answered, leave 1 nurse withdrawn-elsewhere
        ",
    );
}

#[test]
fn the_ladder_overflows_and_keeps_the_place() {
    check(
        "
        queue nurse
        queue billing
        ladder nurse 30s overflow billing
        agent 1007   nurse    not-ready
        agent 1001   billing  not-ready
        09:00:00  call 1 -> nurse
        09:00:10  call 2 -> billing
        09:00:30  .                     => leave 1 nurse overflowed, enter 1 billing
        09:00:35  1001 ready            => ring 1 1001
        ",
    );
}

#[test]
fn in_several_queues_at_once_and_abandoned_once() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse billing  not-ready
        09:00:00  call 1 -> billing+nurse   => enter 1 billing, enter 1 nurse
        09:00:30  1 hangs up                => leave 1 billing abandoned, leave 1 nurse withdrawn-elsewhere, record 1 abandoned
        ",
    );
}

#[test]
fn of_several_queues_any_agent_will_do() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse    not-ready
        agent 1001   billing  not-ready
        09:00:00  call 1 -> nurse+billing
        09:00:10  1001 ready            => ring 1 1001
        09:00:11  1007 ready
        09:00:12  1001 answers 1        => bridge 1 1001, leave 1 billing answered, leave 1 nurse withdrawn-elsewhere
        ",
    );
}

#[test]
fn comfort_is_spoken_again_and_again() {
    check(
        "
        queue nurse  comfort=20s/30s
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse
        09:00:20  .                     => play 1 en/patience
        09:00:50  .                     => play 1 en/caller_number+en/n1
        09:01:20  .                     => play 1 en/patience
        ",
    );
}

/// asterisk/asterisk #1637: the position goes up. A position is said only if it is better than the last one said.
#[test]
fn a_position_is_never_said_twice_or_worse() {
    check(
        "
        queue nurse
        ladder nurse 10s say position
        ladder nurse 20s say position
        ladder nurse 30s say position
        ladder nurse 40s say position
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse
        09:00:01  call 2 -> nurse
        09:00:11  .                     => play 1 en/caller_number+en/n1, play 2 en/caller_number+en/n2
        09:00:15  call 3 -> nurse class=urgent
        09:00:21  .                     => play
        09:00:25  .                     => play 3 en/caller_number+en/n1
        09:00:26  1 hangs up
        09:00:27  3 hangs up
        09:00:31  .                     => play 2 en/caller_number+en/n1
        09:00:41  .                     => play
        ",
    );
}

#[test]
fn staff_move_a_waiting_call() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse    not-ready
        agent 1001   billing  ready
        09:00:00  call 1 -> nurse
        09:00:05  move 1 -> billing     => leave 1 nurse withdrawn-moved, enter 1 billing, ring 1 1001
        ",
    );
}

#[test]
fn an_agent_transfers_to_a_queue_and_the_place_is_that_of_arrival() {
    check(
        "
        queue nurse
        queue billing  wrap=10s
        agent 1007   nurse    not-ready
        agent 1001   billing  ready
        09:00:00  call 1 -> billing               => ring 1 1001
        09:00:01  1001 answers 1                  => bridge 1 1001
        09:00:10  call 2 -> nurse
        09:00:30  1001 transfers -> nurse         => leave, enter 1 nurse, end 1001, agent 1001 wrap-up
        09:00:40  .                               => segment 1 1001 29s 10s
        09:00:45  1007 ready                      => ring 1 1007
        09:00:46  1007 answers 1                  => bridge 1 1007
        09:01:00  1007 hangs up                   => segment 1 1007 14s 0s, record 1 answered, ring 2 1007
        ",
    );
}

#[test]
fn an_agent_transfers_to_a_colleague() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse                 => ring 1 1007
        09:00:01  1007 answers 1                  => bridge 1 1007
        09:00:30  1007 transfers -> agent 1008    => ring 1 1008
        09:00:33  1008 answers 1                  => bridge 1 1008
        09:01:00  1008 hangs up                   => record 1 answered
        ",
    );
}
