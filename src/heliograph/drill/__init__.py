"""The drill: replays 2020-08-06 and its relatives with real processes against the sandbox, and judges from the sandbox's side."""
