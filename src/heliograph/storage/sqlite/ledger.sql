-- The writes of the ledger, its rows and its lanes, for SQLite.

-- name: delivery_version
SELECT version FROM delivery WHERE account = :account AND id = :id

-- name: health_version
SELECT version FROM health WHERE account = :account AND kind = :kind AND subject = :subject

-- name: lane_holder
SELECT owner, fence FROM lane WHERE account = :account AND id = :id

-- name: Seen
INSERT INTO seen (account, channel, event_id, at) VALUES (:account, :channel, :event_id, :at)

-- name: Answer
INSERT INTO answer (account, key, digest, code, body, created_at) VALUES (:account, :key, :digest, :code, :body, :created_at)

-- name: Ticket
INSERT INTO ticket (account, id, number, conversation, channel, contact, state, created_at, updated_at)
SELECT :account, :id, next_number, :conversation, :channel, :contact, :state, :created_at, :updated_at FROM account WHERE id = :account

-- name: ticket_number_next
UPDATE account SET next_number = next_number + 1 WHERE id = :account

-- name: event_add
INSERT INTO event (account, stream, stream_id, subject, position, kind, version, recorded_at, occurred_at, actor, channel, credential,
  release, attempt, reason, data)
VALUES (:account, :stream, :stream_id, :subject, :position, :kind, :version, :recorded_at, :occurred_at, :actor, :channel, :credential,
  :release, :attempt, :reason, :data)

-- name: delivery_add
INSERT INTO delivery (account, id, ticket, comment, channel, lane, seq, part, parts, state, reason, code, question, attempt, attempt_open,
  spent, epoch, returned, rank, provider_id, ready_at, settle_at, queued_at, started_at, accepted_at, version)
VALUES (:account, :id, :ticket, :comment, :channel, :lane, :seq, :part, :parts, :state, :reason, :code, :question, :attempt, :attempt_open,
  :spent, :epoch, :returned, :rank, :provider_id, :ready_at, :settle_at, :queued_at, :started_at, :accepted_at, :version)

-- name: delivery_set
UPDATE delivery SET state = :state, reason = :reason, code = :code, question = :question, attempt = :attempt,
  attempt_open = :attempt_open, spent = :spent, epoch = :epoch, returned = :returned, rank = :rank, provider_id = :provider_id,
  ready_at = :ready_at, settle_at = :settle_at, started_at = :started_at, accepted_at = :accepted_at, version = :version
WHERE account = :account AND id = :id

-- name: health_set
INSERT INTO health (account, kind, subject, condition, reason, code, operation, held_since, interval, trial_at, version)
VALUES (:account, :kind, :subject, :condition, :reason, :code, :operation, :held_since, :interval, :trial_at, :version)
ON CONFLICT (account, kind, subject) DO UPDATE SET condition = excluded.condition, reason = excluded.reason, code = excluded.code,
  operation = excluded.operation, held_since = excluded.held_since, interval = excluded.interval, trial_at = excluded.trial_at,
  version = excluded.version

-- name: health_schedule
UPDATE health SET interval = :interval, trial_at = :trial_at
WHERE account = :account AND kind = :kind AND subject = :subject AND condition = 'held'

-- name: lane_push
INSERT INTO lane (account, id, channel, tail, head, ready_at, not_before, blocked, owner, lease_until, fence)
VALUES (:account, :id, :channel, 1, NULL, 0, 0, 0, '', 0, 0)
ON CONFLICT (account, id) DO UPDATE SET tail = tail + 1
RETURNING tail

-- name: lane_release
UPDATE lane SET owner = '', lease_until = 0, not_before = :not_before WHERE account = :account AND id = :id

-- name: lane_refresh
UPDATE lane SET head = h.seq, blocked = coalesce(h.blocked, 0), ready_at = coalesce(max(h.ready_at, lane.not_before), 0)
FROM (SELECT 1) LEFT JOIN (
  SELECT seq, state IN ('unknown', 'asking') AS blocked, ready_at FROM delivery
  WHERE account = :account AND lane = :id AND state IN ('queued', 'sending', 'unknown', 'asking') ORDER BY seq LIMIT 1) AS h ON 1
WHERE lane.account = :account AND lane.id = :id

-- name: runnable_channels
-- A skip through the index: one step per channel that has a runnable lane, however many lanes wait on it.
WITH RECURSIVE step (row) AS (
  SELECT rowid FROM (SELECT rowid FROM lane WHERE head IS NOT NULL AND blocked = 0 AND owner = ''
    ORDER BY account, channel, ready_at LIMIT 1)
  UNION ALL
  -- Asked in two steps: of `(account, channel) > (…)` the index would only serve the account, and read all its waiting lanes.
  SELECT coalesce(
    (SELECT n.rowid FROM lane n WHERE n.head IS NOT NULL AND n.blocked = 0 AND n.owner = ''
      AND n.account = l.account AND n.channel > l.channel ORDER BY n.channel, n.ready_at LIMIT 1),
    (SELECT n.rowid FROM lane n WHERE n.head IS NOT NULL AND n.blocked = 0 AND n.owner = ''
      AND n.account > l.account ORDER BY n.account, n.channel, n.ready_at LIMIT 1))
  FROM step JOIN lane l ON l.rowid = step.row
)
SELECT l.account, l.channel, c.credential, r.fingerprint,
  coalesce(hc.condition, 'well'), coalesce(hr.condition, 'well')
FROM step
JOIN lane l ON l.rowid = step.row
JOIN channel c ON c.account = l.account AND c.id = l.channel AND c.enabled = 1 AND c.throttled_until <= :now
JOIN credential r ON r.account = c.account AND r.id = c.credential
LEFT JOIN health hc ON hc.account = c.account AND hc.kind = 'channel' AND hc.subject = c.id
LEFT JOIN health hr ON hr.account = c.account AND hr.kind = 'credential' AND hr.subject = c.credential || '@' || r.fingerprint
WHERE l.ready_at <= :now AND coalesce(hc.condition, 'well') <> 'held' AND coalesce(hr.condition, 'well') <> 'held'

-- name: runnable_lanes
SELECT id FROM lane WHERE account = :account AND channel = :channel AND head IS NOT NULL AND blocked = 0 AND owner = ''
AND ready_at <= :now ORDER BY ready_at LIMIT :limit

-- name: channel_busy
SELECT 1 FROM lane WHERE account = :account AND channel = :channel AND owner <> '' LIMIT 1

-- name: credential_busy
SELECT 1 FROM channel c JOIN lane l ON l.account = c.account AND l.channel = c.id AND l.owner <> ''
WHERE c.account = :account AND c.credential = :credential LIMIT 1

-- name: lane_take
UPDATE lane SET owner = :owner, lease_until = :lease_until, fence = fence + 1 WHERE account = :account AND id = :id RETURNING fence

-- name: lane_head
SELECT d.*, c.address, c.control, coalesce((SELECT h.handle FROM handle h WHERE h.account = c.account AND h.channel = c.channel
    AND h.contact = c.contact LIMIT 1), '') AS contact, coalesce(b.data, '') AS payload
FROM lane l
JOIN delivery d ON d.account = l.account AND d.lane = l.id AND d.seq = l.head
JOIN conversation c ON c.account = l.account AND c.id = l.id
LEFT JOIN body b ON b.account = d.account AND b.id = d.id
WHERE l.account = :account AND l.id = :id

-- name: lane_overtaken
SELECT 1 FROM delivery WHERE account = :account AND lane = :lane AND seq > :seq AND state IN ('accepted', 'delivered', 'read') LIMIT 1

-- name: lanes_expired
SELECT account, id FROM lane WHERE owner <> '' AND lease_until < :now

-- name: lanes_extend
UPDATE lane SET lease_until = :lease_until WHERE owner = :owner AND lease_until >= :now

-- name: lanes_orphaned
UPDATE lane SET lease_until = 0 WHERE owner <> ''

-- name: next_due
SELECT min(at) FROM (
  SELECT min(ready_at) AS at FROM lane WHERE head IS NOT NULL AND blocked = 0 AND owner = '' AND ready_at > :now
  UNION ALL SELECT min(settle_at) FROM delivery WHERE state = 'unknown' AND settle_at IS NOT NULL
  UNION ALL SELECT min(trial_at) FROM health WHERE condition = 'held'
  UNION ALL SELECT min(throttled_until) FROM channel WHERE throttled_until > :now
)
