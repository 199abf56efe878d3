//! Values that must not be found: what a caller is, says and presses, what an agent and a supervisor prove themselves by. A centre works
//! with them at trace level; then they are looked for wherever something is written, shown or answered, in every likely form.

mod birds;
mod centre;
mod line;
mod told;
