//! Floor 3: files to the compiled configuration.
