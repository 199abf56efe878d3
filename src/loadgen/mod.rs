//! Floor 4: virtual SIP callers and agents.
