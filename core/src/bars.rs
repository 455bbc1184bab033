//! bars: see the module's own files.
