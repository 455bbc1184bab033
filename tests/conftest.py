"""Plugins that every test run has."""

pytest_plugins = ("vector_count",)
