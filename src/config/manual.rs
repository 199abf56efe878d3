//! The reference manual of `careline.toml`, printed from the tables by which it is read.

use super::{calendars, centre, codes, journal, ladder, outward, queues, recording, server, trunks};
use crate::model::schema::{Field, table};

const BLOCKS: [(&str, &[Field]); 21] = [
    ("The file", centre::ROOT_FIELDS),
    ("[centre]", server::CENTRE_FIELDS),
    ("[sip]", server::SIP_FIELDS),
    ("[sip.trunks.NAME]", trunks::FIELDS),
    ("[sip.limits]", server::SIP_LIMIT_FIELDS),
    ("[http]", server::HTTP_FIELDS),
    ("[media]", server::MEDIA_FIELDS),
    ("[recording]", recording::FIELDS),
    ("[journal]", journal::FIELDS),
    ("[rules]", centre::RULE_FIELDS),
    ("[calendars.NAME]", calendars::FIELDS),
    ("[skills.NAME]", centre::SKILL_FIELDS),
    ("[queues.NAME]", queues::FIELDS),
    ("`comfort` of a queue", queues::COMFORT_FIELDS),
    ("`reserve` of a queue", queues::RESERVE_FIELDS),
    ("A rung of a queue's `escalation`", ladder::FIELDS),
    ("[codes]", codes::FIELDS),
    ("[outward.NAME]", outward::FIELDS),
    ("[locations.NAME]", outward::LOCATION_FIELDS),
    ("[agents.NUMBER]", centre::AGENT_FIELDS),
    ("[numbers.\"+13125550100\"]", centre::NUMBER_FIELDS),
];

pub fn markdown() -> String {
    let mut text =
        String::from("# careline.toml: reference\n\nPrinted from the tables by which `careline` reads it; a test keeps this file true.\n");
    for (block, fields) in BLOCKS {
        text += &format!("\n## {block}\n\n{}", table(fields));
    }
    text += "\nRequirements know `>=`, `and`, `or`, `not` and brackets over skills; `language` is the skill of the caller's language: \
             `language >= 5 and (billing >= 1 or eligibility >= 3) and not trainee`. At most eight alternatives when written out.\n";
    text
}
