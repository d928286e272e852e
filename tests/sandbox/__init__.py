"""Tests of the sandbox: is it faithful, do its faults strike, is its judge right."""
