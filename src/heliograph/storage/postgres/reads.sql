-- Reads that this engine asks differently. Events in the order of their numbers, which is the order of cause and effect, and only
-- below what a running transaction may still write: `horizon` is asked for just before, see migration 5.

-- name: stream_events
SELECT seq, account, stream, stream_id, subject, position, kind, version, recorded_at, occurred_at, actor, channel,
       credential, release, attempt, reason, data
FROM event WHERE account = :account AND stream = :stream AND stream_id = :stream_id AND seq > :after
AND seq <= :horizon ORDER BY seq LIMIT :limit

-- name: account_events
SELECT seq, account, stream, stream_id, subject, position, kind, version, recorded_at, occurred_at, actor, channel,
       credential, release, attempt, reason, data
FROM event WHERE account = :account AND seq > :after AND seq <= :horizon
ORDER BY seq LIMIT :limit

-- In the order of transactions, then of numbers: whoever has read up to a row misses nothing that is shown later, for every
-- transaction before the oldest one that runs has ended.
-- name: signals_after
SELECT * FROM (
  SELECT txid::text::bigint AS place, seq, recorded_at, account, stream_id, subject, kind, channel, credential, release, attempt, reason,
         CASE kind WHEN 'attempt_accepted' THEN '' ELSE data END AS data
  FROM event WHERE (txid, seq) > (:place::bigint::text::xid8, :after::bigint) AND txid < pg_snapshot_xmin(pg_current_snapshot())
  AND (kind = 'attempt_accepted'
    OR kind IN ('attempt_refused', 'attempt_deferred', 'attempt_unknown') AND attempt = 1
    OR kind IN ('hold_started', 'hold_prolonged', 'hold_ended', 'receipt_returned'))
  ORDER BY txid, seq LIMIT :limit
) AS signals UNION ALL
SELECT * FROM (
  SELECT txid::text::bigint, seq, 0::bigint, '', '', '', '', '', '', '', NULL::integer, '', ''
  FROM event WHERE txid < pg_snapshot_xmin(pg_current_snapshot())
  AND (kind = 'attempt_accepted'
    OR kind IN ('attempt_refused', 'attempt_deferred', 'attempt_unknown') AND attempt = 1
    OR kind IN ('hold_started', 'hold_prolonged', 'hold_ended', 'receipt_returned'))
  ORDER BY txid DESC, seq DESC LIMIT 1
) AS mark

-- name: waiting
SELECT account, channel, state, count(*) AS number, min(queued_at) AS oldest_at FROM delivery
WHERE state IN ('queued', 'sending', 'unknown', 'asking') GROUP BY account, channel, state

-- name: waiting_of
SELECT account, channel, state, count(*) AS number, min(queued_at) AS oldest_at FROM delivery
WHERE account = :account AND state IN ('queued', 'sending', 'unknown', 'asking') GROUP BY account, channel, state
