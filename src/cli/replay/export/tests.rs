//! A busy morning full of people, and an export in which none of them is left.

use super::*;
use crate::acd::{LegEnd, Placed, storm};
use crate::cli::replay::{open, tests::Run};
use crate::config::{self, Loaded};
use crate::model::{AgentId, Phi};
use crate::store::MasterKey;
use crate::store::journal::Contact as Registered;
use crate::store::tests::Directory;
use crate::store::wire::Wire;
use std::collections::BTreeSet;
use std::path::PathBuf;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// A Wednesday, ten in the morning in Chicago.
const BEGIN: Time = Time(1_750_863_600_000_000);
const VIP: &str = "+13125550187";
const NOBODY: &str = "+13125550176";
const BILLING: &str = "+13125550102";

/// Everybody, and everything that is about them.
const PEOPLE: [&str; 16] = [
    "3125550187",
    "3125550176",
    "3125550165",
    "2175550142",
    "Quillfeather",
    "kanari-passwort",
    "90817263",
    "kanari-token",
    "kanari-konto",
    "kanari-call-id",
    "kanari-phone",
    "192.0.2.77",
    "02291980",
    "471147",
    "11301944",
    "881199",
];

const FLOW: &str = "flow: billing
languages: [es, en]
keys: {\"0\": nobody}
start: notice
steps:
  notice: {say: {prompt: please_hold, barge_in: false}, next: born}
  born:
    gather: {say: {prompt: please_hold}, digits: 8, format: date-mmddyyyy, confirm: true, into: born, tries: 2}
    next: vip
    otherwise: nobody
  vip:
    branch:
      - {when: \"caller.number in ['+13125550187', '+13125550165']\", go: code}
      - {else: age}
  code:
    gather: {say: {prompt: please_hold}, digits: 6, into: code, tries: 2}
    next: known
    otherwise: nobody
  known:
    branch:
      - {when: \"code == '471147' or code == kind\", go: served}
      - {else: nobody}
  age:
    gather: {say: {prompt: please_hold}, digits: 3, into: age, secret: true, tries: 2}
    next: old
    otherwise: nobody
  old:
    branch:
      - {when: \"age < 65 and not age < 18\", go: served}
      - {else: nobody}
  served: {set: {kind: '881199'}, next: wait}
  wait:
    queue: {name: billing, need: language >= 5 and billing >= 3, otherwise: nobody}
  nobody: {hangup: {say: {prompt: goodbye}}}
tests:
  - {name: one, from: '+13125550187', keys: \"02291980 1 471147\", expect: [notice, born, vip, code, known, served, wait, queue billing language=es]}
";

/// The shipped centre with somebody in every corner of it.
fn centre(directory: &Directory) -> Loaded {
    let config = directory.path().join("config");
    std::fs::create_dir_all(config.join("flows")).unwrap();
    for entry in std::fs::read_dir(Path::new(ROOT).join("ivr-flows")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            std::fs::copy(&path, config.join("flows").join(path.file_name().unwrap())).unwrap();
        }
    }
    std::fs::write(config.join("flows/billing.yaml"), FLOW).unwrap();
    let mut text = std::fs::read_to_string(Path::new(ROOT).join("config/careline.toml")).unwrap();
    let prompts = format!("\"{ROOT}/ivr-flows/prompts\"");
    for (what, by) in [
        ("\"../ivr-flows/prompts\"", prompts.as_str()),
        ("\"../ivr-flows\"", "\"flows\""),
        ("demo-token-not-secret", "kanari-token-9f8e7d6c5b4a"),
        ("\"demo-1004\"\npin = \"1004\"", "\"kanari-passwort\"\npin = \"90817263\""),
        ("Daniela Ortiz", "Zebedee Quillfeather"),
        (
            "[http]",
            "[sip.trunks.carrier]\naddresses = [\"192.0.2.77\"]\npeers = [\"192.0.2.77\"]\nuser = \"kanari-konto\"\npassword = \"kanari-passwort\"\n\n[http]",
        ),
        ("[queues.billing]", "[queues.billing]\nlast_agent = \"20s\""),
    ] {
        assert!(text.contains(what), "the shipped configuration has {what}");
        text = text.replace(what, by);
    }
    std::fs::write(config.join("careline.toml"), text).unwrap();
    config::load_at(&config, BEGIN).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn arrives(run: &mut Run, number: u64, from: &str, to: &str) {
    let (from, to) = (Phi(from.to_string()), Phi(to.to_string()));
    run.tell(Event::CallArrived { call: CallId(number), leg: LegId(number), from, to });
}

fn press(run: &mut Run, number: u64, keys: &str) {
    for digits in keys.split(' ') {
        run.tell(Event::DigitsEntered { leg: LegId(number), digits: Phi(digits.to_string()) });
        run.pass(1);
    }
}

/// Enters numbers where a choice is asked for, while waiting, and when nobody listens any more.
fn astray(run: &mut Run) {
    arrives(run, 14, VIP, "+13125550100");
    run.pass(2);
    press(run, 14, "8 8 1 1 9 9 4 7 1 1 4 7 2175550142");
    run.pass(20);
    press(run, 14, "881199");
    run.tell(Event::LegEnded { leg: LegId(14), cause: LegEnd::HungUp });
    press(run, 14, "471147");
    run.pass(20);
    // Nobody is there.
    arrives(run, 9, VIP, NOBODY);
}

/// Callers of every kind: the files, with what was said in each.
fn morning(directory: &Directory, key: &MasterKey) -> Vec<(PathBuf, Vec<(Time, String)>)> {
    let mut run = Run::new(directory, key, centre(directory));
    for agent in [AgentId(1004), AgentId(1005)] {
        run.tell(Event::AgentLoggedIn { agent });
        run.tell(Event::AgentReady { agent });
    }
    // Known, and with the right code; known, and wrong; not known, of an age and not; typed ahead; in two halves, with a mistake.
    for (number, from, keys) in [
        (1, VIP, "02291980 1 471147"),
        (2, VIP, "0 2 2 9 1 9 8 0 1 4 7 1 1 4 8"),
        (3, NOBODY, "11301944 1 42#"),
        (4, NOBODY, "1130*02291980 2 11301944 1 17#"),
        (5, "", "11301944 1 65#"),
        (6, "kanari-phone", "99999999 11301944 1 64#"),
        (7, "+13125550165", "022919801881199"),
        (8, VIP, "0"),
    ] {
        arrives(&mut run, number, from, BILLING);
        run.pass(2);
        press(&mut run, number, keys);
        run.pass(20);
        if run.core.knows(LegId(number)) {
            run.tell(Event::LegEnded { leg: LegId(number), cause: LegEnd::HungUp });
        }
        run.pass(3);
        for agent in [AgentId(1004), AgentId(1005)] {
            run.tell(Event::WrapUpDone { agent, code: Some(Phi("call-3125550187".into())) });
        }
        run.pass(5);
    }
    astray(&mut run);
    let to = Phi("92175550142".to_string());
    run.tell(Event::CallPlaced { call: CallId(10), leg: LegId(10), agent: Some(AgentId(1005)), to, kind: Placed::Outward });
    run.pass(5);
    run.tell(Event::LegEnded { leg: LegId(10), cause: LegEnd::HungUp });
    run.pass(5);
    // While the next file begins: one between two digits, one who has typed ahead of a notice, one who waits.
    arrives(&mut run, 11, VIP, BILLING);
    press(&mut run, 11, "0229");
    arrives(&mut run, 12, NOBODY, BILLING);
    press(&mut run, 12, "11301944 1 33#");
    run.plays_last = true;
    arrives(&mut run, 13, VIP, BILLING);
    press(&mut run, 13, "022919801");
    let said = std::mem::take(&mut run.said);
    let phone = Registered {
        uri: "sip:kanari-phone@192.0.2.77".into(),
        local: "127.0.0.1:5060".parse().unwrap(),
        remote: "192.0.2.77:5060".parse().unwrap(),
        expires: run.now,
        call_id: b"kanari-call-id".to_vec(),
        cseq: 1,
        instance: Some(b"kanari-phone".to_vec()),
    };
    let first = (run.turn(vec![("1004".into(), vec![phone])]).unwrap(), said);
    run.plays_last = false;
    run.plays_end();
    press(&mut run, 13, "471147");
    press(&mut run, 11, "1980 1 471147");
    run.pass(60);
    for number in 11..=13 {
        if run.core.knows(LegId(number)) {
            run.tell(Event::LegEnded { leg: LegId(number), cause: LegEnd::HungUp });
        }
    }
    run.pass(200);
    let second = run.journal.path().unwrap().to_path_buf();
    run.journal.close();
    vec![first, (second, run.said)]
}

/// Who is found in these bytes, in whatever form.
fn found(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for person in PEOPLE {
        let plain = person.as_bytes().to_vec();
        let hex: String = plain.iter().map(|byte| format!("{byte:02x}")).collect();
        let wide = |bytes: fn(u16) -> [u8; 2]| person.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let backwards = plain.iter().rev().copied().collect();
        for form in [plain, backwards, wide(u16::to_le_bytes), wide(u16::to_be_bytes), hex.to_uppercase().into_bytes(), hex.into_bytes()] {
            if bytes.windows(form.len()).any(|window| window == form) {
                found.push(person.to_string());
            }
        }
    }
    found
}

/// What each caller entered, key by key, with what a file's checkpoint has of it.
fn entered(records: &[Record]) -> String {
    let mut keys: BTreeMap<LegId, String> = BTreeMap::new();
    for record in records {
        match record {
            Record::Piece(Event::Restored(piece)) => {
                if let Restored::Call(_, call) = &**piece
                    && let (Some(session), Contact::Inbound(leg)) = (&call.flow, call.contact)
                {
                    let own = keys.entry(leg).or_default();
                    *own += &session.entry.0;
                    *own += &session.ahead.0;
                }
            }
            Record::Told { event: Event::DigitsEntered { leg, digits }, .. } => *keys.entry(*leg).or_default() += &digits.0,
            _ => {}
        }
    }
    keys.values().map(|keys| format!("{keys}\n")).collect()
}

fn records(file: &Path) -> Vec<Record> {
    open(None, file).unwrap().collect()
}

#[test]
fn an_export_has_nobody_in_it_and_comes_to_the_same_commands() {
    let directory = Directory::new("replay-export");
    let key = MasterKey::find(None, directory.path()).unwrap();
    let mut ways = BTreeSet::new();
    for (number, (file, said)) in morning(&directory, &key).into_iter().enumerate() {
        let inside: Vec<u8> = format!("{:?} {}", records(&file), entered(&records(&file))).into_bytes();
        assert!(!found(&inside).is_empty(), "somebody is in the original");
        let out = directory.path().join(format!("export-{number}"));
        let exported = export(open(None, &file).unwrap(), &out, [7; 32]).unwrap();
        assert_eq!((&exported.differences, exported.problem()), (&Vec::new(), None), "{exported:#?}");
        assert!(exported.numbers > 5 && exported.names == 8, "{exported:#?}");
        let mut again = Vec::new();
        summary::replay(open(None, &out).unwrap(), &mut |at, _, command| again.push((at, format!("{command:?}")))).unwrap();
        assert!(again == said, "{} commands, and {} again", said.len(), again.len());
        ways.extend(said.iter().filter(|(_, command)| command.contains("FlowStep")).map(|(_, command)| command.clone()));
        let bytes = std::fs::read(&out).unwrap();
        assert_eq!(found(&bytes), [""; 0], "in file {number}");
        let keys = entered(&records(&out));
        assert_eq!(found(keys.as_bytes()), [""; 0], "{keys}");
        assert!(bytes.windows(BILLING.len()).any(|window| window == BILLING.as_bytes()), "the number that is dialled stays");
        let mut printed = Vec::new();
        exported.print(&out, &mut printed).unwrap();
        assert!(String::from_utf8(printed).unwrap().contains("the same as of the original"));
        assert!(export(open(None, &file).unwrap(), &out, [7; 32]).unwrap_err().contains("exists"), "nothing is written over");
        assert!(out.exists());
    }
    for step in ["code", "known", "age", "old", "served", "nobody"] {
        assert!(ways.iter().any(|way| way.contains(&format!("step: \"{step}\""))), "somebody came through {step}: {ways:#?}");
    }
}

/// An export of an export is one more: no key, nobody.
#[test]
fn an_export_can_be_exported_and_another_key_invents_others() {
    let directory = Directory::new("replay-export-again");
    let key = MasterKey::find(None, directory.path()).unwrap();
    let (file, _) = morning(&directory, &key).remove(0);
    let made = |from: &Path, to: &str, key: u8| {
        let out = directory.path().join(to);
        let exported = export(open(None, from).unwrap(), &out, [key; 32]).unwrap();
        assert_eq!(exported.problem(), None);
        (std::fs::read(&out).unwrap(), exported.digest, out)
    };
    let (first, digest, out) = made(&file, "first", 1);
    assert_eq!(made(&file, "same", 1).0, first);
    let (other, same, _) = made(&file, "other", 2);
    assert!(other != first && same == digest);
    let (twice, same, _) = made(&out, "twice", 3);
    assert!(twice != first && same == digest);
}

/// Everything that can happen, to callers and agents who are others: the core does the same with them.
#[test]
fn nothing_but_people_changes_in_a_storm() {
    struct Everybody(BTreeSet<String>);
    impl Invent for Everybody {
        fn phi(&mut self, text: &mut String) {
            self.0.insert(text.clone());
        }
        fn person(&mut self, _: &mut std::sync::Arc<str>) {}
    }
    for seed in 1..=2 {
        let (mut people, mut everybody, mut other, mut step) = (People::new([7; 32]), Everybody(BTreeSet::new()), None, 0);
        storm::watched(seed, 600, false, &mut |event: &Event, acd: &Acd| {
            let other = other.get_or_insert_with(|| Acd::new(acd.config().clone()));
            people.house(acd.config());
            let mut disguised = event.clone();
            event.clone().disguise(&mut everybody);
            if !matches!(event, Event::DigitsEntered { .. }) {
                disguised.disguise(&mut people);
            }
            other.handle(acd.time(), disguised, &mut Vec::new());
            step += 1;
            if step % 50 == 0 {
                let (theirs, own) = (acd.checkpoint(), other.checkpoint());
                assert_eq!(format!("{own:?}"), format!("{theirs:?}"), "seed {seed}, step {step}");
                let mut bytes = Vec::new();
                own.iter().for_each(|piece| piece.put(&mut bytes));
                for somebody in everybody.0.iter().filter(|text| text.len() > 5 && people.other(text) != **text) {
                    assert!(!bytes.windows(somebody.len()).any(|window| window == somebody.as_bytes()), "seed {seed}: {somebody}");
                }
            }
        });
        assert!(everybody.0.len() > 10, "people were in it: {}", everybody.0.len());
    }
}
