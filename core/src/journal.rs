//! journal: see the module's own files.
