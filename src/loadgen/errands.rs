//! What people call the demo centre for: its numbers, the keys that lead to each queue, and how often each is wanted.

use super::plan::Errand;
use std::time::Duration;

/// Number, keys, language, queue, key and queue of a change of mind, share of the calls.
type Row = (&'static str, &'static str, &'static str, &'static str, Option<(char, &'static str)>, u64);

const MAIN: &str = "+13125550100";
const NURSE: Option<(char, &str)> = Some(('9', "nurse"));
const OPERATOR: Option<(char, &str)> = Some(('0', "operator"));

/// Of 100 callers 28 speak Spanish and 16 want a nurse.
const ROWS: [Row; 14] = [
    (MAIN, "11", "en", "scheduling", NURSE, 21),
    (MAIN, "12", "en", "billing", NURSE, 13),
    (MAIN, "13", "en", "eligibility", NURSE, 8),
    (MAIN, "14", "en", "nurse", OPERATOR, 8),
    (MAIN, "10", "en", "operator", NURSE, 7),
    ("+13125550101", "", "en", "scheduling", NURSE, 12),
    ("+13125550110", "1", "en", "nurse", OPERATOR, 3),
    (MAIN, "21", "es", "scheduling", NURSE, 8),
    (MAIN, "22", "es", "billing", NURSE, 5),
    (MAIN, "23", "es", "eligibility", NURSE, 3),
    (MAIN, "24", "es", "nurse", OPERATOR, 3),
    (MAIN, "20", "es", "operator", NURSE, 2),
    ("+13125550102", "", "es", "billing", NURSE, 5),
    ("+13125550110", "2", "es", "nurse", OPERATOR, 2),
];

/// The errands that somebody serves: `serves` says so of number, queue and language, `lasts` how long a prompt is, by language and name.
pub fn riverside(serves: impl Fn(&str, &str, &str) -> bool, lasts: impl Fn(&str, &str) -> Duration) -> Vec<Errand> {
    let emergency = lasts("en", "emergency") + lasts("es", "emergency");
    let rows = ROWS.iter().filter(|(number, _, language, queue, ..)| serves(number, queue, language));
    rows.map(|&(number, keys, language, queue, change, weight)| Errand {
        number: number.into(),
        keys: keys.into(),
        language: language.into(),
        queue: queue.into(),
        // The straight lines only ask to hold.
        preamble: if keys.is_empty() { lasts(language, "please_hold") } else { emergency },
        change: change.filter(|(_, to)| serves(number, to, language)).map(|(key, to)| (key, to.into())),
        weight,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_to_a_third_are_spanish_and_every_queue_is_wanted() {
        let errands = riverside(|_, _, _| true, |_, _| Duration::from_secs(5));
        let share = |fits: &dyn Fn(&Errand) -> bool| errands.iter().filter(|e| fits(e)).map(|e| e.weight).sum::<u64>();
        assert_eq!(share(&|_| true), 100);
        assert_eq!(share(&|e| e.language == "es"), 28);
        assert_eq!(share(&|e| e.queue == "nurse"), 16);
        for queue in ["scheduling", "billing", "eligibility", "nurse", "operator"] {
            assert!(share(&|e| e.queue == queue && e.language == "es") > 0, "{queue}");
        }
    }

    #[test]
    fn a_centre_gets_only_the_calls_that_somebody_serves() {
        let serves = |number: &str, queue: &str, language: &str| number == MAIN && queue != "operator" && language == "en";
        let errands = riverside(serves, |_, _| Duration::from_secs(5));
        assert_eq!(errands.iter().map(|e| &*e.queue).collect::<Vec<_>>(), ["scheduling", "billing", "eligibility", "nurse"]);
        assert_eq!(errands[3].change, None);
        assert!(errands[..3].iter().all(|e| e.change == Some(('9', "nurse".into()))));
    }
}
