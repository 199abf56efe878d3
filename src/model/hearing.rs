//! Who hears whom.

use super::LegId;
use std::collections::{BTreeMap, BTreeSet};

/// One row a listener: the legs that it hears. A leg without a row hears nobody. A bridge is two rows of one leg each; a whisper is a
/// row that the other party does not have.
pub type Hearing = BTreeMap<LegId, BTreeSet<LegId>>;

/// Two parties who hear each other.
pub fn bridge(one: LegId, other: LegId) -> Hearing {
    BTreeMap::from([(one, BTreeSet::from([other])), (other, BTreeSet::from([one]))])
}
