//! What is said when an assertion fails: where, and only words that stand in the source.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};

/// A text that was made while the program ran can have anything in it: the standard library's own say what was being cut or read.
const WITHHELD: &str = "[what it says may be about somebody]";

/// From here on no failed assertion repeats what the program was working with.
pub fn withhold() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let (name, said) = (thread.name().unwrap_or("?").to_string(), words(panic.payload()));
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        eprintln!("careline: assertion failed in thread {name} at {place}: {said}");
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            eprintln!("{backtrace}");
        }
    }));
}

/// Says everything again: what is read has nobody in it.
pub fn tell_all() {
    let _ = std::panic::take_hook();
}

fn words(said: &(dyn Any + Send)) -> &'static str {
    said.downcast_ref::<&'static str>().copied().unwrap_or(WITHHELD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    #[test]
    fn only_words_of_the_source_are_repeated() {
        let number = String::from("+13125550187");
        let said = |fails: &(dyn Fn() + std::panic::RefUnwindSafe)| words(&*catch_unwind(fails).expect_err("it fails"));
        assert_eq!(said(&|| assert!(number.is_empty(), "nobody calls")), "nobody calls");
        assert_eq!(said(&|| drop(number[40..].to_string())), WITHHELD);
        assert_eq!(said(&|| panic!("{number} calls")), WITHHELD);
        assert_eq!(said(&|| assert_eq!(number.parse::<u64>().unwrap(), 1)), WITHHELD);
    }
}
