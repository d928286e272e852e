"""The simulation: the real program on a seeded loop in virtual time, among hosts that die and providers that lie."""
