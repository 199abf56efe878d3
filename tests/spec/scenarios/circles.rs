//! Configurations that send a caller round and round within one instant: the call fails, and everybody else is served.

use crate::driver::check;

#[test]
fn two_queues_that_overflow_to_each_other_at_once_end_the_call() {
    check(
        "
        queue nurse
        queue billing
        ladder nurse    0s  overflow billing
        ladder billing  0s  overflow nurse
        agent 1007   nurse billing  not-ready
        09:00:00  call 1 -> nurse
        09:00:01  .                     => end 1 failed, record 1 failed
        09:00:02  1007 ready            => ring
        ",
    );
}

/// After a longer wait it is a long way round, and no circle.
#[test]
fn queues_that_overflow_to_each_other_in_time_go_on() {
    check(
        "
        queue nurse
        queue billing
        ladder nurse    1s  overflow billing
        ladder billing  1s  overflow nurse
        agent 1007   nurse  not-ready
        agent 1008   billing  not-ready
        09:00:00  call 1 -> nurse
        09:05:00  .                     => end
        09:05:00.5  1007 ready          => ring 1 1007
        ",
    );
}

#[test]
fn two_queue_steps_that_time_out_into_each_other_at_once_end_the_call() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse billing  not-ready
        09:00:00  call 1 -> nurse max_wait=0s then=billing again
        09:00:01  .                     => end 1 failed, record 1 failed
        09:00:02  1007 ready            => ring
        ",
    );
}

/// Both go round in turns, and neither's steps hide the other's.
#[test]
fn two_calls_in_circles_both_end_and_a_third_is_served() {
    check(
        "
        queue nurse
        queue billing
        queue pharmacy
        agent 1007   nurse billing  not-ready
        agent 1008   pharmacy  ready
        09:00:00  call 1 -> nurse
        09:00:00  call 2 -> billing
        09:00:00  call 3 -> pharmacy    => ring 3 1008
        09:00:01  ladder nurse    0s  overflow billing
        09:00:01  ladder billing  0s  overflow nurse
        09:00:02  .                     => end 1 failed, record 1 failed, end 2 failed, record 2 failed
        09:00:02  1008 answers 3        => bridge 3 1008
        ",
    );
}
