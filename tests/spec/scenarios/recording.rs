//! What is written down: a conversation of a queue that records, from the bridge to its end, and not what is said during a hold.

use crate::driver::check;

#[test]
fn a_recording_lasts_as_long_as_the_conversation() {
    check(
        "
        queue nurse  record wrap=30s
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007, tape
        09:00:03  1007 answers 1        => bridge 1 1007, tape 1 start
        09:00:30  1 hangs up            => tape 1 stop, end 1007
        ",
    );
    check(
        "
        queue nurse  record
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:03  1007 answers 1        => bridge 1 1007, tape 1 start
        09:00:30  1007 hangs up         => tape 1 stop, end 1
        ",
    );
}

#[test]
fn a_queue_that_does_not_record_writes_nothing_down() {
    check(
        "
        queue nurse
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:03  1007 answers 1        => bridge 1 1007, tape
        09:00:10  1007 holds            => tape
        09:00:30  1 hangs up            => tape
        ",
    );
}

#[test]
fn a_hold_pauses_the_recording() {
    check(
        "
        queue nurse  record
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:03  1007 answers 1        => bridge 1 1007, tape 1 start
        09:00:10  1007 holds            => tape 1 pause, music 1 nurse
        09:00:20  1007 retrieves        => tape 1 resume, silence 1
        09:00:30  1007 holds            => tape 1 pause
        09:00:40  1 hangs up            => tape 1 stop
        ",
    );
}

#[test]
fn a_whisper_is_not_written_down_nor_an_answer_that_never_was_a_conversation() {
    check(
        "
        queue nurse  record whisper
        agent 1007   nurse language=en  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:03  1007 accepts 1        => tape
        09:00:05  1007 whisper heard    => bridge 1 1007, tape
        09:00:05  1 hangs up            => tape, record 1 abandoned
        ",
    );
}

#[test]
fn each_conversation_of_a_call_is_written_down_apart() {
    check(
        "
        queue nurse    record
        queue billing
        agent 1007   nurse    ready
        agent 1001   billing  ready
        09:00:00  call 1 -> nurse              => ring 1 1007
        09:00:03  1007 answers 1               => bridge 1 1007, tape 1 start
        09:01:00  1007 transfers -> billing    => tape 1 stop, end 1007, ring 1 1001
        09:01:03  1001 answers 1               => bridge 1 1001, tape
        09:02:00  1001 transfers -> nurse      => ring 1 1007, tape
        09:02:03  1007 answers 1               => bridge 1 1007, tape 1 start
        09:02:30  1007 vanishes                => tape 1 stop
        ",
    );
}

#[test]
fn a_recording_stops_though_the_queue_records_no_longer() {
    check(
        "
        queue nurse  record
        agent 1007   nurse  ready
        09:00:00  call 1 -> nurse       => ring 1 1007
        09:00:03  1007 answers 1        => bridge 1 1007, tape 1 start
        09:00:10  queue nurse mute      => tape
        09:00:20  1 hangs up            => tape 1 stop
        ",
    );
}
