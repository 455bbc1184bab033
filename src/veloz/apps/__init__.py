"""Processes and commands: one file or folder each; none imports another."""

__all__: list[str] = []
