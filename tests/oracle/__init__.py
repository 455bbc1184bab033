"""A second, independent ledger: rational numbers, written from the rules of money."""
