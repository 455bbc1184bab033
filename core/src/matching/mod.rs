//! matching: see the module's own files.
