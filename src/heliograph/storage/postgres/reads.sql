-- Reads that this engine asks differently: events in the order of their numbers, without gaps that a running transaction may fill.

-- name: stream_events
SELECT seq, account, stream, stream_id, subject, position, kind, version, recorded_at, occurred_at, actor, channel,
       credential, release, attempt, reason, data
FROM event WHERE account = :account AND stream = :stream AND stream_id = :stream_id AND seq > :after
AND txid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY seq LIMIT :limit

-- name: account_events
SELECT seq, account, stream, stream_id, subject, position, kind, version, recorded_at, occurred_at, actor, channel,
       credential, release, attempt, reason, data
FROM event WHERE account = :account AND seq > :after
AND txid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY seq LIMIT :limit
