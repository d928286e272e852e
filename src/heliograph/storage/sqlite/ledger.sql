-- The writes of the ledger, its rows and its lanes, for SQLite. States are compared with OR where IN would cost a tree in memory each time.

-- name: health_version
SELECT version FROM health WHERE account = :account AND kind = :kind AND subject = :subject

-- name: document_version
SELECT version FROM document WHERE account = :account AND kind = :kind AND id = :id

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
  spent, epoch, returned, rank, provider_id, ready_at, settle_at, queued_at, started_at, accepted_at, doubt_since, version)
VALUES (:account, :id, :ticket, :comment, :channel, :lane, :seq, :part, :parts, :state, :reason, :code, :question, :attempt, :attempt_open,
  :spent, :epoch, :returned, :rank, :provider_id, :ready_at, :settle_at, :queued_at, :started_at, :accepted_at, :doubt_since, :version)

-- name: delivery_set
UPDATE delivery SET state = :state, reason = :reason, code = :code, question = :question, attempt = :attempt,
  attempt_open = :attempt_open, spent = :spent, epoch = :epoch, returned = :returned, rank = :rank, provider_id = :provider_id,
  ready_at = :ready_at, settle_at = :settle_at, started_at = :started_at, accepted_at = :accepted_at, doubt_since = :doubt_since, version = :version
WHERE account = :account AND id = :id AND version = :before

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
-- A new delivery goes to the end, so it becomes the head only where nothing was open.
INSERT INTO lane (account, id, channel, tail, head, ready_at, not_before, blocked, owner, lease_until, fence)
VALUES (:account, :id, :channel, 1, 1, :now, 0, 0, '', 0, 0)
ON CONFLICT (account, id) DO UPDATE SET tail = tail + 1, head = coalesce(head, tail + 1), blocked = coalesce(blocked, 0),
  ready_at = coalesce(ready_at, max(excluded.ready_at, not_before))
RETURNING tail

-- name: lane_refresh
-- Nothing before the head is open, but for what has just changed: from `:lowest` on.
UPDATE lane SET (head, blocked, ready_at) = (
  SELECT d.seq, d.state IN ('unknown', 'asking'), max(d.ready_at, lane.not_before) FROM delivery d
  WHERE d.account = :account AND d.lane = :id AND d.seq >= min(coalesce(lane.head, :lowest), :lowest)
    AND (d.state = 'queued' OR d.state = 'sending' OR d.state = 'unknown' OR d.state = 'asking') ORDER BY d.seq LIMIT 1)
WHERE account = :account AND id = :id

-- name: lane_release
UPDATE lane SET owner = '', lease_until = 0, not_before = :not_before, (head, blocked, ready_at) = (
  SELECT d.seq, d.state IN ('unknown', 'asking'), max(d.ready_at, :not_before) FROM delivery d
  WHERE d.account = :account AND d.lane = :id AND d.seq >= min(coalesce(lane.head, :lowest), :lowest)
    AND (d.state = 'queued' OR d.state = 'sending' OR d.state = 'unknown' OR d.state = 'asking') ORDER BY d.seq LIMIT 1)
WHERE account = :account AND id = :id AND owner = :worker AND fence = :fence

-- name: lane_go_on
-- Its holder keeps the lane for the next delivery.
UPDATE lane SET head = :head, blocked = 0, ready_at = :ready_at, not_before = :not_before, lease_until = :lease_until, fence = fence + 1
WHERE account = :account AND id = :id AND owner = :worker AND fence = :fence

-- name: lane_create
INSERT INTO lane (account, id, channel, tail, head, ready_at, not_before, blocked, owner, lease_until, fence)
VALUES (:account, :id, :channel, 0, NULL, NULL, 0, NULL, '', 0, 0) ON CONFLICT (account, id) DO NOTHING

-- name: lanes_merged
SELECT account, id, survivor FROM lane WHERE survivor <> ''

-- name: lanes_merge
UPDATE lane SET survivor = :survivor
WHERE account = :account AND (id = :lane OR id = :survivor OR survivor <> '' AND survivor = :line)

-- name: line_order
-- Of the merged lanes only that may start whose head was written first, and none while another's attempt may still be with the provider.
UPDATE lane SET not_before = (SELECT max(o.not_before) FROM lane o WHERE o.account = lane.account AND o.survivor = lane.survivor),
  (blocked, ready_at) = (
  SELECT h.state IN ('unknown', 'asking') OR EXISTS (
      SELECT 1 FROM lane o JOIN delivery d ON d.account = o.account AND d.lane = o.id AND d.seq >= o.head
        AND (d.state = 'queued' OR d.state = 'sending' OR d.state = 'unknown' OR d.state = 'asking')
      WHERE o.account = lane.account AND o.survivor = lane.survivor AND o.id <> lane.id
        AND (d.state = 'sending' OR d.state = 'unknown' OR d.seq = o.head AND (d.queued_at, d.id) < (h.queued_at, h.id))),
    max(h.ready_at, (SELECT max(o.not_before) FROM lane o WHERE o.account = lane.account AND o.survivor = lane.survivor))
  FROM delivery h WHERE h.account = lane.account AND h.lane = lane.id AND h.seq = lane.head)
WHERE account = :account AND survivor <> '' AND survivor = :survivor

-- name: runnable_channel_within
-- The next channel of an account that has a runnable lane, by one step in the index however many lanes wait.
SELECT account, channel FROM lane WHERE head IS NOT NULL AND blocked = 0 AND owner = '' AND account = :account AND channel > :channel
ORDER BY account, channel LIMIT 1

-- name: runnable_channel_beyond
SELECT account, channel FROM lane WHERE head IS NOT NULL AND blocked = 0 AND owner = '' AND account > :account
ORDER BY account, channel LIMIT 1

-- name: channel_condition
-- A shared credential is the installation's: its name stands for the id, and the release says which version it holds.
SELECT coalesce(nullif(r.shared, ''), c.credential), coalesce(v.fingerprint, r.fingerprint),
  coalesce(hc.condition, 'well'), coalesce(hr.condition, 'well'), r.shared, c.throttled_until
FROM channel c
JOIN credential r ON r.account = c.account AND r.id = c.credential
LEFT JOIN release_credential v ON v.release = :release AND v.credential = r.shared AND r.shared <> ''
LEFT JOIN health hc ON hc.account = c.account AND hc.kind = 'channel' AND hc.subject = c.id
LEFT JOIN health hr ON hr.account = CASE r.shared WHEN '' THEN c.account ELSE '' END AND hr.kind = 'credential'
  AND hr.subject = coalesce(nullif(r.shared, ''), c.credential) || '@' || coalesce(v.fingerprint, r.fingerprint)
WHERE c.account = :account AND c.id = :channel AND c.enabled = 1
  AND coalesce(hc.condition, 'well') <> 'held' AND coalesce(hr.condition, 'well') <> 'held'

-- name: runnable_lanes
SELECT id FROM lane WHERE account = :account AND channel = :channel AND head IS NOT NULL AND blocked = 0 AND owner = ''
AND ready_at <= :now ORDER BY ready_at LIMIT :limit

-- name: channel_next_ready
SELECT ready_at FROM lane WHERE account = :account AND channel = :channel AND head IS NOT NULL AND blocked = 0 AND owner = ''
ORDER BY ready_at LIMIT 1

-- name: channel_busy
SELECT 1 FROM lane WHERE account = :account AND channel = :channel AND owner <> '' LIMIT 1

-- name: credential_busy
SELECT 1 FROM channel c JOIN lane l ON l.account = c.account AND l.channel = c.id AND l.owner <> ''
WHERE c.account = :account AND c.credential = :credential LIMIT 1

-- name: shared_busy
SELECT 1 FROM credential r JOIN channel c ON c.account = r.account AND c.credential = r.id
JOIN lane l ON l.account = c.account AND l.channel = c.id AND l.owner <> ''
WHERE r.shared = :shared LIMIT 1

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

-- name: lane_next
-- What would be the head of a lane if its holder gave it back; `:lowest` as in lane_refresh.
SELECT d.*, c.address, c.control, coalesce((SELECT h.handle FROM handle h WHERE h.account = c.account AND h.channel = c.channel
    AND h.contact = c.contact LIMIT 1), '') AS contact, coalesce(b.data, '') AS payload
FROM lane l
JOIN delivery d ON d.account = l.account AND d.lane = l.id AND d.seq >= min(coalesce(l.head, :lowest), :lowest)
  AND (d.state = 'queued' OR d.state = 'sending' OR d.state = 'unknown' OR d.state = 'asking')
JOIN conversation c ON c.account = l.account AND c.id = l.id
LEFT JOIN body b ON b.account = d.account AND b.id = d.id
WHERE l.account = :account AND l.id = :id ORDER BY d.seq LIMIT 1

-- name: lane_overtaken
SELECT 1 FROM delivery WHERE account = :account AND lane = :lane AND seq > :seq AND state IN ('accepted', 'delivered', 'read')
UNION ALL SELECT 1 FROM delivery h JOIN lane l ON l.account = h.account AND l.id = h.lane AND l.survivor <> ''
JOIN lane o ON o.account = l.account AND o.survivor = l.survivor AND o.survivor <> '' AND o.id <> l.id
JOIN delivery d ON d.account = o.account AND d.lane = o.id AND (d.queued_at, d.id) > (h.queued_at, h.id)
  AND d.state IN ('accepted', 'delivered', 'read')
WHERE h.account = :account AND h.lane = :lane AND h.seq = :seq LIMIT 1

-- name: lanes_expired
SELECT account, id FROM lane INDEXED BY lane_owned WHERE owner <> '' AND lease_until < :now

-- name: lanes_extend
UPDATE lane SET lease_until = :lease_until WHERE owner <> '' AND owner = :owner AND lease_until >= :now

-- name: lanes_orphaned
UPDATE lane SET lease_until = 0 WHERE owner <> ''

-- name: next_due
SELECT min(at) FROM (
  SELECT min(settle_at) AS at FROM delivery WHERE state = 'unknown' AND settle_at IS NOT NULL
  UNION ALL SELECT min(trial_at) FROM health WHERE condition = 'held' AND trial_at > :now
  UNION ALL SELECT min(throttled_until) FROM channel WHERE throttled_until > :now
)

-- name: waiting
SELECT d.account, d.channel, d.state, count(*) AS number, min(d.queued_at) AS oldest_at
FROM lane l CROSS JOIN delivery d ON d.account = l.account AND d.lane = l.id AND d.seq >= l.head
WHERE d.state IN ('queued', 'sending', 'unknown', 'asking') GROUP BY d.account, d.channel, d.state

-- name: waiting_of
SELECT d.account, d.channel, d.state, count(*) AS number, min(d.queued_at) AS oldest_at
FROM lane l CROSS JOIN delivery d ON d.account = l.account AND d.lane = l.id AND d.seq >= l.head
WHERE l.account = :account AND d.state IN ('queued', 'sending', 'unknown', 'asking') GROUP BY d.account, d.channel, d.state
