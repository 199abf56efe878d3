//! The reference manual of the flow language, printed from the tables by which flows are read.

use super::node::FORMS;
use super::{flow, say, trial};
use crate::model::schema::table;

pub fn markdown() -> String {
    let mut text = String::from(
        "# The flow language: reference\n\nPrinted from the tables by which `careline` reads flows; a test keeps this file true.\n\n\
         Keys are quoted (`\"1\"`), times carry units (`500ms`, `20s`, `1m30s`, `2h`), every prompt exists in every language of its flow.\n",
    );
    text += &format!("\n## A flow\n\n{}", table(flow::FIELDS));
    text += "\n## Verbs\n\nA step is a map of one verb and of what stands beside it.\n";
    for form in FORMS {
        text += &format!("\n### {}\n\nThe step {}.\n\n{}", form.verb, form.doc, table(form.fields));
        if !form.beside.is_empty() {
            text += &format!("\nBeside `{}` stands:\n\n{}", form.verb, table(form.beside));
        }
    }
    text += &format!("\n## What is spoken (`say`)\n\n{}", table(say::FIELDS));
    text += &format!("\n## A test\n\n{}", table(trial::FIELDS));
    text
}
