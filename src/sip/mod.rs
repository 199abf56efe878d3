//! Floor 3: SIP, sans-IO.
