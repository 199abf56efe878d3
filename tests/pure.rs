//! The pure floors stand alone: they compile with bare `rustc`, without Cargo and without a crate.

mod rustc;

use rustc::{Scratch, compile_floors, text};
use std::path::Path;

#[test]
fn the_pure_floors_compile_with_bare_rustc() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let scratch = Scratch::new("pure");
    let output = compile_floors(&src, &["model", "ivr", "acd", "leg", "sim"], &scratch.0, &["--emit", "metadata"]);
    assert!(output.status.success(), "{}", text(&output));
}
