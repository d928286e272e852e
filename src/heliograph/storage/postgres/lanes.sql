-- Claiming: which lanes may start now, taken by one of any number of processes.

-- name: runnable_channels
-- A skip through the index: one step per channel that has a runnable lane, however many lanes wait on it.
WITH RECURSIVE step AS (
  (SELECT account, channel, ready_at FROM lane WHERE head IS NOT NULL AND blocked = 0 AND owner = ''
    ORDER BY account, channel, ready_at LIMIT 1)
  UNION ALL
  SELECT n.account, n.channel, n.ready_at FROM step s, LATERAL (
    SELECT l.account, l.channel, l.ready_at FROM lane l WHERE l.head IS NOT NULL AND l.blocked = 0 AND l.owner = ''
    AND (l.account, l.channel) > (s.account, s.channel) ORDER BY l.account, l.channel, l.ready_at LIMIT 1) AS n
)
SELECT s.account, s.channel, coalesce(nullif(r.shared, ''), c.credential), coalesce(v.fingerprint, r.fingerprint),
  coalesce(hc.condition, 'well'), coalesce(hr.condition, 'well'), r.shared
FROM step s
JOIN channel c ON c.account = s.account AND c.id = s.channel AND c.enabled = 1 AND c.throttled_until <= :now
JOIN credential r ON r.account = c.account AND r.id = c.credential
LEFT JOIN release_credential v ON v.release = :release AND v.credential = r.shared AND r.shared <> ''
LEFT JOIN health hc ON hc.account = c.account AND hc.kind = 'channel' AND hc.subject = c.id
LEFT JOIN health hr ON hr.account = CASE r.shared WHEN '' THEN c.account ELSE '' END AND hr.kind = 'credential'
  AND hr.subject = coalesce(nullif(r.shared, ''), c.credential) || '@' || coalesce(v.fingerprint, r.fingerprint)
WHERE s.ready_at <= :now AND coalesce(hc.condition, 'well') <> 'held' AND coalesce(hr.condition, 'well') <> 'held'
ORDER BY s.account, s.channel

-- name: trial_lock
-- Whoever holds the row decides alone which lane tries; the others pass.
SELECT 1 FROM health WHERE account = :account AND kind = :kind AND subject = :subject AND condition = 'trial'
FOR NO KEY UPDATE SKIP LOCKED

-- name: channel_busy
SELECT 1 FROM lane WHERE account = :account AND channel = :channel AND owner <> '' LIMIT 1

-- name: credential_busy
SELECT 1 FROM channel c JOIN lane l ON l.account = c.account AND l.channel = c.id AND l.owner <> ''
WHERE c.account = :account AND c.credential = :credential LIMIT 1

-- name: shared_busy
-- What a release sends that holds another version says nothing about this one, and may go on for ever.
SELECT 1 FROM credential r JOIN channel c ON c.account = r.account AND c.credential = r.id
JOIN lane l ON l.account = c.account AND l.channel = c.id AND l.owner <> ''
WHERE r.shared = :shared AND NOT EXISTS (
  SELECT 1 FROM release_share s JOIN release_credential v ON v.release = s.release AND v.credential = r.shared
  WHERE v.fingerprint <> :fingerprint AND l.bucket >= s.low AND l.bucket < s.high)
LIMIT 1

-- name: runnable_lanes
-- Whoever changes the share of a release waits for the claims under way: after that commit none is made by the old one.
WITH may AS MATERIALIZED (SELECT low, high FROM release_share WHERE release = :release FOR SHARE)
SELECT l.account, l.channel, l.id
FROM unnest(:accounts::text[], :channels::text[], :shares::bigint[]) WITH ORDINALITY AS w (account, channel, share, n),
LATERAL (SELECT account, channel, id FROM lane WHERE account = w.account AND channel = w.channel
  AND head IS NOT NULL AND blocked = 0 AND owner = '' AND ready_at <= :now
  AND bucket >= coalesce((SELECT low FROM may), 0) AND bucket < coalesce((SELECT high FROM may), 100)
  ORDER BY ready_at LIMIT w.share FOR NO KEY UPDATE SKIP LOCKED) AS l

-- name: heads
SELECT d.*, c.address, c.control, coalesce((SELECT h.handle FROM handle h WHERE h.account = c.account AND h.channel = c.channel
    AND h.contact = c.contact LIMIT 1), '') AS contact, coalesce(b.data, '') AS payload,
  d.returned = 1 AND (EXISTS (SELECT FROM delivery o WHERE o.account = d.account AND o.lane = d.lane AND o.seq > d.seq
    AND o.state IN ('accepted', 'delivered', 'read'))
  OR l.survivor <> '' AND EXISTS (SELECT FROM lane m JOIN delivery o ON o.account = m.account AND o.lane = m.id
    WHERE m.account = l.account AND m.survivor = l.survivor AND m.survivor <> '' AND m.id <> l.id
    AND (o.queued_at, o.id) > (d.queued_at, d.id) AND o.state IN ('accepted', 'delivered', 'read'))) AS overtaken
FROM unnest(:accounts::text[], :ids::text[]) WITH ORDINALITY AS w (account, id, n)
JOIN lane l ON l.account = w.account AND l.id = w.id
JOIN delivery d ON d.account = l.account AND d.lane = l.id AND d.seq = l.head
JOIN conversation c ON c.account = l.account AND c.id = l.id
LEFT JOIN body b ON b.account = d.account AND b.id = d.id
ORDER BY w.n

-- name: lanes_take
UPDATE lane l SET owner = :owner, lease_until = :lease_until, fence = l.fence + 1
FROM unnest(:accounts::text[], :ids::text[]) AS w (account, id)
WHERE l.account = w.account AND l.id = w.id RETURNING l.account, l.id, l.fence

-- name: lanes_expired
SELECT account, id FROM lane WHERE owner <> '' AND lease_until < :now LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED

-- name: any_expired
SELECT 1 FROM lane WHERE owner <> '' AND lease_until < :now LIMIT 1

-- name: lanes_extend
WITH mine AS (SELECT account, id FROM lane WHERE owner = :owner AND lease_until >= :now ORDER BY account, id FOR NO KEY UPDATE)
UPDATE lane l SET lease_until = :lease_until FROM mine WHERE l.account = mine.account AND l.id = mine.id

-- name: next_due
SELECT min(at) FROM (
  SELECT min(ready_at) AS at FROM lane WHERE head IS NOT NULL AND blocked = 0 AND owner = '' AND ready_at > :now
  UNION ALL SELECT min(settle_at) FROM delivery WHERE state = 'unknown' AND settle_at IS NOT NULL
  UNION ALL SELECT min(trial_at) FROM health WHERE condition = 'held' AND trial_at > :now
  UNION ALL SELECT min(throttled_until) FROM channel WHERE throttled_until > :now
) AS due
