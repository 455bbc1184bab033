//! account: see the module's own files.
