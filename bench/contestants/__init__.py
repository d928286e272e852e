"""Heliograph's own contestants: one module for each way of running it that is measured."""
