//! indicators: see the module's own files.
