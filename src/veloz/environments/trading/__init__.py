"""Trading by events as they come: one loop for paper and live around one engine."""
