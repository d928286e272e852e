-- The writes of many acts at once: every parameter that is an array holds one value per row, in the order of the acts.

-- name: lanes_lock
-- In the order of their keys, so that two batches never wait for each other.
SELECT l.account, l.id, l.owner, l.fence, l.tail, l.survivor
FROM lane l JOIN unnest(:accounts::text[], :ids::text[]) AS w (account, id) ON l.account = w.account AND l.id = w.id
ORDER BY l.account, l.id FOR NO KEY UPDATE OF l

-- name: lanes_create
INSERT INTO lane (account, id, channel, tail, head, ready_at, not_before, blocked, owner, lease_until, fence)
SELECT account, id, channel, 0, NULL, 0, 0, 0, '', 0, 0
FROM unnest(:accounts::text[], :ids::text[], :channels::text[]) AS w (account, id, channel) ORDER BY account, id
ON CONFLICT (account, id) DO NOTHING

-- name: lanes_tail
UPDATE lane l SET tail = w.tail FROM unnest(:accounts::text[], :ids::text[], :tails::bigint[]) AS w (account, id, tail)
WHERE l.account = w.account AND l.id = w.id

-- name: lanes_release
UPDATE lane l SET owner = '', lease_until = 0, not_before = w.not_before
FROM unnest(:accounts::text[], :ids::text[], :not_before::bigint[]) AS w (account, id, not_before)
WHERE l.account = w.account AND l.id = w.id

-- name: lanes_refresh
UPDATE lane l SET head = h.seq, blocked = coalesce(h.blocked, 0), ready_at = coalesce(greatest(h.ready_at, l.not_before), 0)
FROM unnest(:accounts::text[], :ids::text[]) AS w (account, id)
LEFT JOIN LATERAL (SELECT d.seq, (d.state IN ('unknown', 'asking'))::int AS blocked, d.ready_at FROM delivery d
  WHERE d.account = w.account AND d.lane = w.id AND d.state IN ('queued', 'sending', 'unknown', 'asking')
  ORDER BY d.seq LIMIT 1) AS h ON true
WHERE l.account = w.account AND l.id = w.id

-- name: lanes_merged
-- All lanes that share their order with one of these.
SELECT DISTINCT o.account, o.id
FROM unnest(:accounts::text[], :ids::text[]) AS w (account, id) JOIN lane l ON l.account = w.account AND l.id = w.id AND l.survivor <> ''
JOIN lane o ON o.account = l.account AND o.survivor = l.survivor AND o.survivor <> ''

-- name: lanes_merge
UPDATE lane l SET survivor = w.survivor
FROM (SELECT d.id, d.survivor AS line, coalesce(nullif(s.survivor, ''), s.id) AS survivor
  FROM lane d JOIN lane s ON s.account = d.account AND s.id = :into WHERE d.account = :account AND d.id = :lane) AS w
WHERE l.account = :account AND (l.id IN (w.id, w.survivor) OR l.survivor <> '' AND l.survivor IN (w.id, w.line))

-- name: lines_order
-- Of merged lanes only that may start whose head was written first, and none while another's attempt may still be with the provider.
UPDATE lane l SET not_before = w.not_before, blocked = w.blocked, ready_at = w.ready_at
FROM (
  SELECT m.account, m.id, s.not_before, coalesce(greatest(h.ready_at, s.not_before), 0) AS ready_at,
    (h.id IS NOT NULL AND (h.state IN ('unknown', 'asking') OR EXISTS (
      SELECT FROM lane o JOIN delivery d ON d.account = o.account AND d.lane = o.id AND d.seq >= o.head
        AND d.state IN ('queued', 'sending', 'unknown', 'asking')
      WHERE o.account = m.account AND o.survivor = m.survivor AND o.survivor <> '' AND o.id <> m.id
        AND (d.state IN ('sending', 'unknown') OR d.seq = o.head AND (d.queued_at, d.id) < (h.queued_at, h.id)))))::int AS blocked
  FROM (SELECT x.account, x.survivor, max(y.not_before) AS not_before
    FROM (SELECT DISTINCT l.account, l.survivor FROM unnest(:accounts::text[], :ids::text[]) AS w (account, id)
      JOIN lane l ON l.account = w.account AND l.id = w.id AND l.survivor <> '') AS x
    JOIN lane y ON y.account = x.account AND y.survivor = x.survivor AND y.survivor <> '' GROUP BY x.account, x.survivor) AS s
  JOIN lane m ON m.account = s.account AND m.survivor = s.survivor AND m.survivor <> ''
  LEFT JOIN delivery h ON h.account = m.account AND h.lane = m.id AND h.seq = m.head
) AS w
WHERE l.account = w.account AND l.id = w.id

-- name: delivery_versions
SELECT d.account, d.id, d.version
FROM delivery d JOIN unnest(:accounts::text[], :ids::text[]) AS w (account, id) ON d.account = w.account AND d.id = w.id

-- name: health_versions
SELECT h.account, h.kind, h.subject, h.version FROM health h
JOIN unnest(:accounts::text[], :kinds::text[], :subjects::text[]) AS w (account, kind, subject)
  ON h.account = w.account AND h.kind = w.kind AND h.subject = w.subject
ORDER BY h.account, h.kind, h.subject FOR NO KEY UPDATE OF h

-- name: document_versions
SELECT d.account, d.kind, d.id, d.version FROM document d
JOIN unnest(:accounts::text[], :kinds::text[], :ids::text[]) AS w (account, kind, id)
  ON d.account = w.account AND d.kind = w.kind AND d.id = w.id
ORDER BY d.account, d.kind, d.id FOR NO KEY UPDATE OF d

-- name: document_set
INSERT INTO document AS d (account, kind, id, version, updated_at, data) VALUES (:account, :kind, :id, :version, :updated_at, :data)
ON CONFLICT (account, kind, id) DO UPDATE SET version = CASE excluded.version WHEN 0 THEN d.version + 1 ELSE excluded.version END,
  updated_at = excluded.updated_at, data = excluded.data
WHERE excluded.version IN (0, d.version + 1)
RETURNING 1

-- name: seen_already
SELECT s.account, s.channel, s.event_id FROM seen s
JOIN unnest(:accounts::text[], :channels::text[], :ids::text[]) AS w (account, channel, event_id)
  ON s.account = w.account AND s.channel = w.channel AND s.event_id = w.event_id

-- name: answered_already
SELECT a.account, a.key FROM answer a
JOIN unnest(:accounts::text[], :keys::text[]) AS w (account, key) ON a.account = w.account AND a.key = w.key

-- name: ticket_numbers
-- The account's row is the counter: it is locked until the commit, so that no number is lost or given twice.
WITH w AS (SELECT a.id, w.wanted FROM account a JOIN unnest(:accounts::text[], :wanted::bigint[]) AS w (id, wanted) ON w.id = a.id
  ORDER BY a.id FOR NO KEY UPDATE OF a)
UPDATE account a SET next_number = a.next_number + w.wanted FROM w WHERE a.id = w.id RETURNING a.id, a.next_number - w.wanted

-- name: events_add
INSERT INTO event (account, stream, stream_id, subject, position, kind, version, recorded_at, occurred_at, actor, channel, credential,
  release, attempt, reason, data)
SELECT account, stream, stream_id, subject, position, kind, version, recorded_at, occurred_at, actor, channel, credential,
  release, attempt, reason, data
FROM unnest(:account::text[], :stream::text[], :stream_id::text[], :subject::text[], :position::bigint[], :kind::text[], :version::bigint[],
  :recorded_at::bigint[], :occurred_at::bigint[], :actor::text[], :channel::text[], :credential::text[], :release::text[],
  :attempt::int[], :reason::text[], :data::text[]) WITH ORDINALITY
  AS w (account, stream, stream_id, subject, position, kind, version, recorded_at, occurred_at, actor, channel, credential,
  release, attempt, reason, data, n)
ORDER BY n

-- name: deliveries_add
INSERT INTO delivery (account, id, ticket, comment, channel, lane, seq, part, parts, state, reason, code, question, attempt, attempt_open,
  spent, epoch, returned, rank, provider_id, ready_at, settle_at, queued_at, started_at, accepted_at, doubt_since,
  version)
SELECT * FROM unnest(:account::text[], :id::text[], :ticket::text[], :comment::text[], :channel::text[], :lane::text[], :seq::bigint[],
  :part::int[], :parts::int[], :state::text[], :reason::text[], :code::text[], :question::text[], :attempt::int[], :attempt_open::int[],
  :spent::int[], :epoch::int[], :returned::int[], :rank::int[], :provider_id::text[], :ready_at::bigint[], :settle_at::bigint[],
  :queued_at::bigint[], :started_at::bigint[], :accepted_at::bigint[], :doubt_since::bigint[], :version::bigint[])

-- name: deliveries_set
UPDATE delivery d SET state = w.state, reason = w.reason, code = w.code, question = w.question, attempt = w.attempt,
  attempt_open = w.attempt_open, spent = w.spent, epoch = w.epoch, returned = w.returned, rank = w.rank, provider_id = w.provider_id,
  ready_at = w.ready_at, settle_at = w.settle_at, started_at = w.started_at, accepted_at = w.accepted_at,
  doubt_since = w.doubt_since, version = w.version
FROM unnest(:account::text[], :id::text[], :before::bigint[], :state::text[], :reason::text[], :code::text[], :question::text[],
  :attempt::int[], :attempt_open::int[], :spent::int[], :epoch::int[], :returned::int[], :rank::int[], :provider_id::text[],
  :ready_at::bigint[], :settle_at::bigint[], :started_at::bigint[], :accepted_at::bigint[], :doubt_since::bigint[],
  :version::bigint[])
  AS w (account, id, before, state, reason, code, question, attempt, attempt_open, spent, epoch, returned, rank, provider_id, ready_at,
  settle_at, started_at, accepted_at, doubt_since, version)
WHERE d.account = w.account AND d.id = w.id AND d.version = w.before

-- name: healths_set
INSERT INTO health AS h (account, kind, subject, condition, reason, code, operation, held_since, interval, trial_at, version)
VALUES (:account, :kind, :subject, :condition, :reason, :code, :operation, :held_since, :interval, :trial_at, :version)
ON CONFLICT (account, kind, subject) DO UPDATE SET condition = excluded.condition, reason = excluded.reason, code = excluded.code,
  operation = excluded.operation, held_since = excluded.held_since, interval = excluded.interval, trial_at = excluded.trial_at,
  version = excluded.version
WHERE h.version = :before
RETURNING 1

-- name: health_schedule
UPDATE health SET interval = :interval, trial_at = :trial_at
WHERE account = :account AND kind = :kind AND subject = :subject AND condition = 'held'
