//! Floor 4: the same loop on a virtual clock.
