"""Tests of the benchmark: a judge that misses a fault would make every figure worthless."""
