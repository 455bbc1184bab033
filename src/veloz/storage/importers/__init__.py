"""One file per kind of source: each reads a file into a deposit and says what it found."""
