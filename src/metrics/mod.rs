//! Floor 3: facts to Prometheus.
