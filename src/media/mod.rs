//! Floor 3: sound.
