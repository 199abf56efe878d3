//! A flow as a picture: Mermaid's flowchart.

use super::flow::FlowFile;
use super::scope::How;
use std::collections::BTreeMap;
use std::fmt::Write;

/// One node a step, one arrow a pair of steps with every reason to go that way; keys are solid, waits dotted.
pub fn mermaid(file: &FlowFile) -> String {
    let number: BTreeMap<&str, usize> = file.steps.iter().map(|(name, _)| &**name).zip(1..).collect();
    let mut text = format!("flowchart TD\n  start([{}])\n", file.name);
    for (name, _) in &file.steps {
        let _ = writeln!(text, "  s{}[\"{name}\"]", number[&**name]);
    }
    if let Some(start) = &file.start {
        let _ = writeln!(text, "  start --> s{}", number[&**start]);
    }
    let mut arrows: BTreeMap<(usize, usize), (Vec<String>, bool)> = BTreeMap::new();
    // The flow's own key for a wait does nothing in that wait.
    for edge in file.edges.iter().filter(|edge| edge.from != edge.to) {
        let (labels, waits) = arrows.entry((number[&*edge.from], number[&*edge.to])).or_default();
        let label = edge.label.replace('"', "'");
        if !label.is_empty() && !labels.contains(&label) {
            labels.push(label);
        }
        *waits |= edge.how == How::Wait;
    }
    for ((from, to), (labels, waits)) in arrows {
        let arrow = if waits { "-.->" } else { "-->" };
        let label = if labels.is_empty() { String::new() } else { format!("|\"{}\"|", labels.join(", ")) };
        let _ = writeln!(text, "  s{from} {arrow}{label} s{to}");
    }
    for (step, flow) in &file.handed_to {
        let _ = writeln!(text, "  s{} --> flow_{flow}([{flow}])", number[&**step]);
    }
    text
}
