//! Who is offered a call first, of those who are ready and fit. Every order ends with idle longest, then the lower number.

use crate::driver::check;

#[test]
fn longest_idle() {
    check(
        "
        queue nurse  strategy=longest-idle
        agent 1008   nurse  ready
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1008
        09:00:01  1008 answers 1        => bridge 1 1008
        09:00:05  1008 hangs up
        09:00:06  call 2 -> nurse       => ring 2 1007
        ",
    );
}

/// Idle is since the last call or log-in: a refusal or a short break does not send anybody to the end of the line.
#[test]
fn who_was_ready_first_is_first() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:04  1 hangs up            => withdraw 1 1007 caller-left
        09:00:05  call 2 -> nurse       => ring 2 1007
        ",
    );
}

#[test]
fn least_occupied() {
    check(
        "
        queue nurse  strategy=least-occupied
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:00  call 2 -> nurse       => ring 2 1008
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:01  1008 answers 2        => bridge 2 1008
        09:00:11  1007 hangs up
        09:05:00  1008 hangs up
        09:05:10  call 3 -> nurse       => ring 3 1007
        09:05:11  1007 answers 3        => bridge 3 1007
        09:05:12  1007 hangs up
        09:05:13  call 4 -> nurse       => ring 4 1007
        ",
    );
}

#[test]
fn most_proficient() {
    check(
        "
        queue nurse  strategy=most-proficient need=(nurse>=3)
        agent 1006   nurse nurse=5  ready
        agent 1007   nurse nurse=9  ready
        agent 1008   nurse nurse=9  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:00  call 2 -> nurse       => ring 2 1008
        09:00:00  call 3 -> nurse       => ring 3 1006
        ",
    );
}

#[test]
fn fewest_calls() {
    check(
        "
        queue nurse  strategy=fewest-calls
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:02  1007 hangs up
        09:00:03  call 2 -> nurse       => ring 2 1008
        09:00:04  1008 answers 2        => bridge 2 1008
        09:00:05  1008 hangs up
        09:00:06  call 3 -> nurse       => ring 3 1007
        ",
    );
}

#[test]
fn round_robin() {
    check(
        "
        queue nurse  strategy=round-robin
        agent 1006   nurse  ready
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1006
        09:00:01  1 hangs up            => withdraw 1 1006 caller-left
        09:00:02  call 2 -> nurse       => ring 2 1007
        09:00:03  2 hangs up            => withdraw 2 1007 caller-left
        09:00:04  call 3 -> nurse       => ring 3 1008
        09:00:05  3 hangs up            => withdraw 3 1008 caller-left
        09:00:06  call 4 -> nurse       => ring 4 1006
        ",
    );
}

#[test]
fn linear() {
    check(
        "
        queue nurse  strategy=linear
        agent 1008   nurse  ready
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:01  1007 answers 1        => bridge 1 1007
        09:00:02  call 2 -> nurse       => ring 2 1008
        09:00:03  1007 hangs up
        09:00:03  1008 answers 2        => bridge 2 1008
        09:00:04  1008 hangs up
        09:00:05  call 3 -> nurse       => ring 3 1007
        ",
    );
}

/// A returning caller waits a while for the agent they spoke to.
#[test]
fn last_agent_first() {
    check(
        "
        queue nurse  last_agent=30s
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  call 1 -> nurse from=0123   => ring 1 1007
        09:00:01  1007 answers 1              => bridge 1 1007
        09:00:10  1007 hangs up
        09:00:11  call 2 -> nurse             => ring 2 1008
        09:00:12  2 hangs up                  => withdraw 2 1008 caller-left
        09:00:20  call 3 -> nurse from=0123   => ring 3 1007
        ",
    );
}

#[test]
fn and_others_when_the_last_agent_stays_busy() {
    check(
        "
        queue nurse  last_agent=30s
        agent 1007   nurse  ready
        agent 1008   nurse  not-ready
        09:00:00  call 1 -> nurse from=0123   => ring 1 1007
        09:00:01  1007 answers 1              => bridge 1 1007
        09:00:10  1007 hangs up
        09:00:11  call 2 -> nurse             => ring 2 1007
        09:00:12  1007 answers 2              => bridge 2 1007
        09:00:13  1008 ready
        09:00:20  call 3 -> nurse from=0123
        09:00:49.999  .
        09:00:50  .                           => ring 3 1008
        ",
    );
}

#[test]
fn a_flow_may_keep_a_call_for_one_agent_first() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  not-ready
        09:00:00  call 1 -> nurse agent=1008/20s
        09:00:19.999  .
        09:00:20  .                           => ring 1 1007
        ",
    );
}

/// Two bilinguals stay free for Spanish callers; a Spanish caller reaches either.
#[test]
fn so_many_bilinguals_are_kept_free() {
    check(
        "
        skill spanish  scarce
        queue billing  need=(language>=5) reserve=spanish:1
        agent 1004   billing english=8 spanish=8  ready
        agent 1005   billing english=8 spanish=8  ready
        09:00:00  call 1 -> billing               => ring 1 1004
        09:00:01  call 2 -> billing
        09:00:02  call 3 -> billing language=es   => ring 3 1005
        09:00:05  3 hangs up                      => withdraw 3 1005 caller-left
        09:00:06  1 hangs up                      => withdraw 1 1004 caller-left, ring 2 1004
        ",
    );
}
