//! Who is served first: class, the agent's own preference, scarce skills, place.

use crate::driver::check;

#[test]
fn first_come_first_served() {
    check(
        "
        queue nurse
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse
        09:00:01  call 2 -> nurse
        09:00:02  call 3 -> nurse
        09:00:05  1007 ready            => ring 1 1007
        09:00:06  1 hangs up            => withdraw 1 1007 caller-left, ring 2 1007
        09:00:07  2 hangs up            => withdraw 2 1007 caller-left, ring 3 1007
        ",
    );
}

#[test]
fn a_better_class_is_served_first_whatever_the_wait() {
    check(
        "
        queue nurse
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse class=low
        09:10:00  call 2 -> nurse
        09:20:00  call 3 -> nurse class=high
        09:30:00  call 4 -> nurse class=urgent
        09:30:05  1007 ready            => ring 4 1007
        09:30:06  4 hangs up            => withdraw 4 1007 caller-left, ring 3 1007
        09:30:07  3 hangs up            => withdraw 3 1007 caller-left, ring 2 1007
        09:30:08  2 hangs up            => withdraw 2 1007 caller-left, ring 1 1007
        ",
    );
}

#[test]
fn an_agents_own_preference_comes_before_the_wait() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse:1 billing:2  not-ready
        09:00:00  call 1 -> billing
        09:00:30  call 2 -> nurse
        09:00:35  1007 ready            => ring 2 1007
        ",
    );
}

#[test]
fn but_class_comes_before_preference() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse:1 billing:2  not-ready
        09:00:00  call 1 -> nurse
        09:00:30  call 2 -> billing class=high
        09:00:35  1007 ready            => ring 2 1007
        ",
    );
}

/// A bilingual agent serves those first whom hardly anybody else can serve.
#[test]
fn a_call_that_needs_a_scarce_skill_comes_first_for_those_who_have_it() {
    check(
        "
        skill spanish  scarce
        queue billing  need=(language>=5)
        agent 1004   billing english=8 spanish=8  not-ready
        09:00:00  call 1 -> billing
        09:00:20  call 2 -> billing language=es
        09:00:30  1004 ready            => ring 2 1004
        ",
    );
}

#[test]
fn bilingual_agents_are_offered_english_calls_last() {
    check(
        "
        skill spanish  scarce
        queue billing  need=(language>=5)
        agent 1004   billing english=8 spanish=8  ready
        agent 1001   billing english=8            ready
        09:00:00  call 1 -> billing                 => ring 1 1001
        09:00:01  call 2 -> billing                 => ring 2 1004
        ",
    );
}

#[test]
fn a_spanish_caller_never_reaches_an_agent_without_spanish() {
    check(
        "
        queue billing  need=(language>=5)
        agent 1001   billing english=8            ready
        agent 1004   billing english=8 spanish=8  not-ready
        09:00:00  call 1 -> billing language=es
        09:00:05  1001 break
        09:00:06  1001 ready
        09:00:30  1004 ready                        => ring 1 1004
        ",
    );
}

/// Priority by ageing: an hour of credit is worth an hour of waiting.
#[test]
fn credit_counts_as_time_waited() {
    check(
        "
        queue nurse
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse
        09:00:30  call 2 -> nurse credit=20s
        09:00:40  call 3 -> nurse credit=45s
        09:00:50  1007 ready            => ring 3 1007
        09:00:51  3 hangs up            => withdraw 3 1007 caller-left, ring 1 1007
        09:00:52  1 hangs up            => withdraw 1 1007 caller-left, ring 2 1007
        ",
    );
}

#[test]
fn credit_does_not_beat_class() {
    check(
        "
        queue nurse
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse credit=1h
        09:00:30  call 2 -> nurse class=high
        09:00:50  1007 ready            => ring 2 1007
        ",
    );
}

#[test]
fn places_compare_across_queues() {
    check(
        "
        queue nurse
        queue billing
        agent 1007   nurse billing  not-ready
        09:00:00  call 1 -> billing
        09:00:01  call 2 -> nurse
        09:00:02  call 3 -> billing
        09:00:05  1007 ready            => ring 1 1007
        09:00:06  1 hangs up            => withdraw 1 1007 caller-left, ring 2 1007
        09:00:07  2 hangs up            => withdraw 2 1007 caller-left, ring 3 1007
        ",
    );
}

#[test]
fn a_supervisor_may_raise_a_class_and_never_lower_it() {
    check(
        "
        queue nurse
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse
        09:00:01  call 2 -> nurse
        09:00:02  raise 2 high          => rank 2 high
        09:00:03  raise 2 low           => obsolete class_raised
        09:00:05  1007 ready            => ring 2 1007
        ",
    );
}

#[test]
fn a_requirement_is_alternatives_of_terms() {
    check(
        "
        queue front  need=(billing>=3 or eligibility>=5 and not trainee)
        agent 1001   front billing=2                    ready
        agent 1002   front eligibility=9 trainee=1      ready
        agent 1003   front eligibility=5                not-ready
        agent 1004   front billing=3 trainee=1          not-ready
        09:00:00  call 1 -> front
        09:00:01  call 2 -> front
        09:00:02  1003 ready            => ring 1 1003
        09:00:03  1004 ready            => ring 2 1004
        ",
    );
}

#[test]
fn what_is_preferred_only_ranks() {
    check(
        "
        queue nurse  need=(nurse>=1; prefer cardiology>=3)
        agent 1007   nurse nurse=5               ready
        agent 1008   nurse nurse=5 cardiology=3  ready
        09:00:00  call 1 -> nurse       => ring 1 1008
        09:00:01  call 2 -> nurse       => ring 2 1007
        ",
    );
}
