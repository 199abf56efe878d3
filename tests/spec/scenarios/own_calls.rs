//! Agents' own calls: dialling out, emergencies, and the codes of the house. They make the agent busy and are in no caller's figure.

use crate::driver::check;

#[test]
fn who_dials_out_is_busy_until_the_call_is_over() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  not-ready
        09:00:00  1007 dials out 50       => dial 50, agent 1007 own-call
        09:00:01  call 1 -> nurse         => music 1 nurse
        09:00:08  far 50 answers          => answer 1007, hear 50 2
        09:01:00  see 1007 own-call
        09:01:08  far 50 hangs-up         => end 1007, record 50 reached, agent 1007 ready, agent 1007 offered, ring 1 1007
        ",
    );
}

#[test]
fn who_hangs_up_ends_the_far_side_too() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  1007 dials out 50       => dial 50
        09:00:08  far 50 answers          => hear 50 2
        09:01:00  1007 ends own           => end far 50, record 50 reached, agent 1007 ready
        09:02:00  1007 dials out 51       => dial 51
        09:02:05  1007 ends own           => end far 51, record 51 not-reached, agent 1007 ready
        ",
    );
}

#[test]
fn nobody_reached_is_said_to_the_station() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  1007 dials out 50       => dial 50
        09:00:03  far 50 refuses          => end 1007 not-reached, record 50 not-reached, agent 1007 ready
        09:01:00  1007 dials out 51       => dial 51
        09:03:59  .                       => end
        09:04:00  .                       => end far 51, end 1007 not-reached, record 51 not-reached, agent 1007 ready
        ",
    );
}

/// Whoever dialled out has just worked: the others come first.
#[test]
fn an_own_call_renews_the_idle_time() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  ready
        09:00:00  1007 dials out 50       => dial 50
        09:00:08  far 50 answers
        09:01:00  1007 ends own
        09:02:00  call 1 -> nurse         => ring 1 1008
        ",
    );
}

#[test]
fn who_was_not_ready_is_not_ready_again() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  1007 meal
        09:01:00  1007 dials out 50       => agent 1007 own-call
        09:02:00  1007 ends own           => agent 1007 not-ready meal
        09:03:00  1007 dials out 51
        09:03:30  1007 ready              => agent
        09:04:00  1007 ends own           => agent 1007 ready
        09:05:00  1007 dials out 52
        09:05:30  1007 logs out           => agent
        09:06:00  1007 ends own           => agent 1007 logged-out
        ",
    );
}

#[test]
fn who_rings_or_talks_dials_nobody() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  logged-out
        09:00:00  1008 dials out 49       => end 1008 forbidden, record 49 refused, dial
        09:00:01  call 1 -> nurse         => ring 1 1007
        09:00:02  1007 dials out 50       => end 1007 busy, record 50 refused, dial
        09:00:03  1007 answers 1          => bridge 1 1007
        09:00:30  1007 dials out 51       => end 1007 busy, record 51 refused, dial
        ",
    );
}

#[test]
fn after_call_work_goes_on_beside_a_call() {
    check(
        "
        queue nurse  wrap=30s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse         => ring 1 1007
        09:00:03  1007 answers 1          => bridge 1 1007
        09:00:10  1 hangs up              => agent 1007 wrap-up
        09:00:20  1007 dials out 50       => dial 50, agent
        09:00:39  .                       => record
        09:00:40  .                       => record 1 answered, agent 1007 own-call
        09:00:50  call 2 -> nurse
        09:01:00  1007 ends own           => agent 1007 ready, agent 1007 offered, ring 2 1007
        ",
    );
}

#[test]
fn an_emergency_frees_the_station_that_rings() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  not-ready
        09:00:00  call 1 -> nurse         => ring 1 1007
        09:00:02  1007 dials 911 50       => withdraw 1 1007 moved, dial 50, agent 1007 own-call
        09:00:04  far 50 answers          => hear 50 2
        09:00:05  1008 ready              => ring 1 1008
        09:00:06  1008 answers 1          => bridge 1 1008
        09:05:00  far 50 hangs-up         => record 50 reached, agent 1007 ready
        ",
    );
}

#[test]
fn an_emergency_is_refused_to_nobody() {
    check(
        "
        rules calls_max=1
        queue nurse  whisper
        agent 1007   nurse language=en  ready
        agent 1008   nurse  logged-out
        09:00:00  1008 dials 911 50       => dial 50, agent
        09:00:01  station dials 911 51    => dial 51
        09:00:02  far 51 answers          => answer station 51, hear 51 2
        09:00:03  call 1 -> nurse         => ring 1 1007
        09:00:04  1007 accepts 1
        09:00:05  1007 dials 911 52       => end 1007, dial 52, silence, agent 1007 own-call
        09:00:06  1007 dials 911 53       => dial 53
        09:00:07  far 52 hangs-up         => unreached 1007, agent
        09:00:08  1007 ends own           => record 53 not-reached, agent
        09:00:08  1007 ends own           => record 52 not-reached, agent 1007 ready, agent 1007 offered, ring 1 1007
        09:00:09  1007 answers 1          => bridge 1 1007
        09:00:10  1007 dials 911 54       => dial 54, agent
        09:00:20  1 hangs up              => record 1 answered, agent 1007 own-call
        09:00:21  1008 logs in            => agent 1008 not-ready logged-in, agent 1008 own-call
        09:00:22  far 50 hangs-up         => unreached 1008, agent
        09:00:23  1008 ends own           => agent 1008 not-ready logged-in
        ",
    );
}

/// What is asked through a code takes effect when the code's own call is over; nothing goes out and nothing is written down.
#[test]
fn a_code_of_the_house_makes_the_station_busy() {
    check(
        "
        queue nurse
        agent 1007   nurse  not-ready
        09:00:00  call 1 -> nurse         => music 1 nurse
        09:00:01  1007 dials in 50        => agent 1007 own-call, dial, answer
        09:00:02  1007 ready              => agent
        09:00:04  1007 ends own           => agent 1007 ready, agent 1007 offered, ring 1 1007, record
        09:00:05  1007 answers 1          => bridge 1 1007
        09:00:10  1007 dials in 51        => agent
        09:00:11  1007 break              => agent
        09:00:12  1007 ends own           => agent
        09:00:20  1 hangs up              => agent 1007 not-ready break
        ",
    );
}

/// Whoever is told to use another telephone is rung when they have heard it.
#[test]
fn an_emergency_that_reaches_nobody_lasts_until_the_station_was_told() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  1007 dials 911 50       => dial 50, agent 1007 own-call
        09:00:01  call 1 -> nurse         => music 1 nurse
        09:00:03  far 50 refuses          => unreached 1007, record, agent
        09:00:10  1007 ends own           => record 50 not-reached, agent 1007 ready, agent 1007 offered, ring 1 1007, end
        09:00:11  1 hangs up              => withdraw 1 1007 caller-left
        09:01:00  1007 dials 911 51       => dial 51
        09:04:00  .                       => end far 51, unreached 1007, record, agent
        09:07:00  .                       => end 1007 not-reached, record 51 not-reached, agent 1007 ready
        ",
    );
}

/// Two reloads within a call: whoever is in the list again when it ends goes on as they were.
#[test]
fn who_is_removed_and_added_again_within_a_call_is_busy_until_it_ends() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  not-ready
        09:00:00  1007 dials in 50        => agent 1007 own-call
        09:00:01  1007 break              => agent
        09:00:02  remove agent 1007       => agent
        09:00:03  agent 1007 nurse logged-out => agent
        09:00:04  1007 ready              => agent
        09:00:05  call 1 -> nurse         => ring
        09:00:06  1007 ends own           => agent 1007 ready, agent 1007 offered, ring 1 1007
        09:00:07  1007 answers 1          => bridge 1 1007
        09:00:08  1007 meal
        09:00:09  remove agent 1007
        09:00:10  agent 1007 nurse logged-out => agent
        09:00:11  1 hangs up              => agent 1007 not-ready meal
        ",
    );
}

/// Whoever comes to a telephone while the one before is still being logged out there is whom it belongs to.
#[test]
fn a_station_is_theirs_who_stays() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        agent 1008   nurse  logged-out
        09:00:00  1007 dials in 50        => agent 1007 own-call
        09:00:01  1007 logs out           => agent
        09:00:01  see station 1007 1007
        09:00:02  1008 sits at 1007
        09:00:02  1008 logs in            => agent 1008 not-ready logged-in
        09:00:02  see station 1007 1008
        09:00:03  1007 ends own           => agent 1007 logged-out
        09:00:04  see station 1007 1008
        ",
    );
}

#[test]
fn the_far_side_hears_music_while_the_agent_holds() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  1007 dials out 50
        09:00:08  far 50 answers          => hear 50 2
        09:00:10  1007 holds own          => music far 50 nurse
        09:00:20  1007 retrieves own      => silence far 50
        09:00:30  1007 holds own          => music far 50 nurse
        09:00:40  far 50 hangs-up         => record 50 reached
        ",
    );
}

#[test]
fn a_station_lost_in_its_own_call_is_offered_nothing() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  1007 dials out 50
        09:00:08  far 50 answers
        09:00:10  1007 loses own          => end far 50, agent 1007 not-ready station-lost
        09:00:11  call 1 -> nurse
        09:00:20  1007 station found      => agent 1007 ready, agent 1007 offered, ring 1 1007
        ",
    );
}
