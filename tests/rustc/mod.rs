//! Compiles the pure floors, and tests of them, with bare `rustc`: no Cargo, no crate.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of its own for one test, removed when dropped.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("careline-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder can be made");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes a crate root that includes `floors` from `src`, and compiles it as `libcareline.rlib` into `out`.
pub fn compile_floors(src: &Path, floors: &[&str], out: &Path, flags: &[&str]) -> Output {
    let path = out.join("careline.rs");
    std::fs::write(&path, root(src, floors)).expect("the root can be written");
    rustc(flags).args(["--crate-type", "lib", "--crate-name", "careline", "--out-dir"]).arg(out).arg(&path).output().expect("rustc runs")
}

/// A crate root that includes `floors` from `src`.
pub fn root(src: &Path, floors: &[&str]) -> String {
    let modules: String = floors.iter().map(|f| format!("#[path = {:?}]\npub mod {f};\n", src.join(f).join("mod.rs"))).collect();
    format!("//! The pure floors alone.\n{modules}")
}

/// `rustc` in the edition of the house, quiet about style.
pub fn rustc(flags: &[&str]) -> Command {
    let mut command = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into()));
    command.args(["--edition", "2024", "--cap-lints", "allow"]).args(flags);
    command
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
