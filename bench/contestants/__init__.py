"""Heliograph's own contestants: one module for each way of running it that is measured.

A module ends in `if __name__ == "__main__": main(run)` with `async def run(job: Job) -> Result` (see `bench.job`), accepts
`bench.payload.replies(job)` and delivers them to `job.provider`; each text begins with its number, by which the provider
judges order. It becomes part of the benchmark by an entry in `bench.registry.HELIOGRAPH`: kind "heliograph" for a line of
the table, "figures" for one that answers with `Result.figures` only, under the keys that `build/bench.json` shall have.
What a contestant compares (with and without held replies, small and large ledger) it measures in one process, in turns.
"""
