//! book: see the module's own files.
