-- Reads that both engines understand, one named query each. `:name` becomes the engine's own placeholder.

-- name: account
SELECT id, name, locale, standing, created_at FROM account WHERE id = :account

-- name: accounts
SELECT id, name, locale, standing, created_at FROM account ORDER BY id

-- name: agent
SELECT account, id, name, role, created_at FROM agent WHERE account = :account AND id = :id

-- name: agents
SELECT account, id, name, role, created_at FROM agent WHERE account = :account ORDER BY id

-- name: channel
SELECT account, id, provider, name, config, credential, enabled, throttled_until, created_at, updated_at
FROM channel WHERE account = :account AND id = :id

-- name: channel_by_id
SELECT account, id, provider, name, config, credential, enabled, throttled_until, created_at, updated_at
FROM channel WHERE id = :id

-- name: channels
SELECT account, id, provider, name, config, credential, enabled, throttled_until, created_at, updated_at
FROM channel WHERE account = :account ORDER BY id

-- name: all_channels
SELECT account, id, provider, name, config, credential, enabled, throttled_until, created_at, updated_at
FROM channel ORDER BY account, id

-- name: credential
SELECT account, id, provider, sealed, fingerprint, identity, created_at, shared FROM credential WHERE account = :account AND id = :id

-- name: own_credentials
SELECT account, id, provider, sealed, fingerprint, identity, created_at, shared FROM credential
WHERE shared = '' AND (account, id) > (:after_account, :after_id) ORDER BY account, id LIMIT :limit

-- name: contact
SELECT account, id, name, created_at FROM contact WHERE account = :account AND id = :id

-- name: handle
SELECT account, channel, handle, contact, blocked FROM handle
WHERE account = :account AND channel = :channel AND handle = :handle

-- name: conversation
SELECT account, id, channel, address, contact, ticket, control, last_inbound_at, removed, created_at
FROM conversation WHERE account = :account AND id = :id

-- name: conversation_at
SELECT account, id, channel, address, contact, ticket, control, last_inbound_at, removed, created_at
FROM conversation WHERE account = :account AND channel = :channel AND address = :address
ORDER BY removed, id DESC LIMIT 1

-- name: conversations_since
SELECT account, id, channel, address, contact, ticket, control, last_inbound_at, removed, created_at
FROM conversation WHERE account = :account AND channel = :channel AND last_inbound_at >= :since AND removed = 0
ORDER BY last_inbound_at DESC

-- name: ticket
SELECT account, id, number, conversation, channel, contact, state, created_at, updated_at
FROM ticket WHERE account = :account AND id = :id

-- name: tickets
SELECT t.account, t.id, t.number, t.conversation, t.channel, t.contact, t.state, t.created_at, t.updated_at,
       c.name AS contact_name, ch.provider,
       coalesce((SELECT b.data FROM comment m JOIN body b ON b.account = m.account AND b.id = m.id
         WHERE m.account = t.account AND m.ticket = t.id ORDER BY m.id DESC LIMIT 1), '') AS preview,
       coalesce((SELECT m.author_kind FROM comment m
         WHERE m.account = t.account AND m.ticket = t.id ORDER BY m.id DESC LIMIT 1), '') AS preview_author,
       (SELECT count(*) FROM delivery d WHERE d.account = t.account AND d.lane = t.conversation AND d.ticket = t.id
         AND d.state IN ('queued', 'sending', 'unknown')) AS waiting,
       (SELECT count(*) FROM delivery d WHERE d.account = t.account AND d.lane = t.conversation AND d.ticket = t.id
         AND d.state = 'asking') AS asking,
       (SELECT count(*) FROM delivery d WHERE d.account = t.account AND d.lane = t.conversation AND d.ticket = t.id
         AND d.state = 'failed') AS failed
FROM ticket t
JOIN contact c ON c.account = t.account AND c.id = t.contact
JOIN channel ch ON ch.account = t.account AND ch.id = t.channel
WHERE t.account = :account AND t.state = :state AND (t.updated_at < :before_at OR (t.updated_at = :before_at AND t.id < :before_id))
ORDER BY t.updated_at DESC, t.id DESC LIMIT :limit

-- name: comments
SELECT m.account, m.id, m.ticket, m.author_kind, m.author, m.public, m.provider_id, m.occurred_at, m.created_at,
       coalesce(b.data, '') AS body, coalesce(a.name, c.name, '') AS author_name
FROM comment m
LEFT JOIN body b ON b.account = m.account AND b.id = m.id
LEFT JOIN agent a ON m.author_kind = 'agent' AND a.account = m.account AND a.id = m.author
LEFT JOIN contact c ON m.author_kind = 'contact' AND c.account = m.account AND c.id = m.author
WHERE m.account = :account AND m.ticket = :ticket ORDER BY m.id

-- name: comment
SELECT m.account, m.id, m.ticket, m.author_kind, m.author, m.public, m.provider_id, m.occurred_at, m.created_at,
       coalesce(b.data, '') AS body, coalesce(a.name, c.name, '') AS author_name
FROM comment m
LEFT JOIN body b ON b.account = m.account AND b.id = m.id
LEFT JOIN agent a ON m.author_kind = 'agent' AND a.account = m.account AND a.id = m.author
LEFT JOIN contact c ON m.author_kind = 'contact' AND c.account = m.account AND c.id = m.author
WHERE m.account = :account AND m.id = :id

-- name: delivery
SELECT * FROM delivery WHERE account = :account AND id = :id

-- name: deliveries_of
SELECT d.* FROM ticket t JOIN delivery d ON d.account = t.account AND d.lane = t.conversation AND d.ticket = t.id
WHERE t.account = :account AND t.id = :ticket ORDER BY d.seq

-- name: deliveries_of_comment
SELECT d.* FROM comment m JOIN ticket t ON t.account = m.account AND t.id = m.ticket
JOIN delivery d ON d.account = t.account AND d.lane = t.conversation AND d.comment = m.id
WHERE m.account = :account AND m.id = :comment ORDER BY d.seq

-- name: deliveries
SELECT * FROM delivery WHERE account = :account AND state = :state AND id > :after
AND (:channel = '' OR channel = :channel) ORDER BY id LIMIT :limit

-- name: delivery_by_provider_id
SELECT * FROM delivery WHERE account = :account AND channel = :channel AND provider_id = :provider_id AND provider_id <> ''

-- name: deliveries_up_to
SELECT d.* FROM delivery d WHERE d.account = :account AND d.lane IN (SELECT :lane UNION ALL
  SELECT o.id FROM lane l JOIN lane o ON o.account = l.account AND o.survivor = l.survivor AND o.survivor <> '' AND o.id <> l.id
  WHERE l.account = :account AND l.id = :lane AND l.survivor <> '')
AND d.state IN ('accepted', 'delivered') AND d.started_at <= :at
ORDER BY d.seq DESC LIMIT 200

-- name: deliveries_between
SELECT d.*, m.author FROM delivery d JOIN comment m ON m.account = d.account AND m.id = d.comment
WHERE d.account = :account AND d.id >= :low AND d.id < :high AND (:channel = '' OR d.channel = :channel) ORDER BY d.id

-- name: open_deliveries
SELECT d.* FROM (
  SELECT l.account, l.id, l.head FROM lane l WHERE l.account = :account AND l.id = :lane
  UNION ALL SELECT o.account, o.id, o.head FROM lane l
  JOIN lane o ON o.account = l.account AND o.survivor = l.survivor AND o.survivor <> '' AND o.id <> l.id
  WHERE l.account = :account AND l.id = :lane AND l.survivor <> '') AS m
JOIN delivery d ON d.account = m.account AND d.lane = m.id AND d.seq >= m.head AND d.state IN ('queued', 'sending', 'unknown', 'asking')
ORDER BY d.lane, d.seq

-- name: due_settlements
SELECT * FROM delivery WHERE state = 'unknown' AND settle_at IS NOT NULL AND settle_at <= :now ORDER BY settle_at LIMIT :limit

-- name: due_probes
SELECT account, kind, subject, condition, reason, code, operation, held_since, interval, trial_at, version
FROM health WHERE condition = 'held' AND trial_at <= :now ORDER BY trial_at

-- name: unwell
SELECT account, kind, subject, condition, reason, code, operation, held_since, interval, trial_at, version
FROM health WHERE condition <> 'well' ORDER BY account, kind, subject

-- name: health
SELECT account, kind, subject, condition, reason, code, operation, held_since, interval, trial_at, version
FROM health WHERE account = :account AND kind = :kind AND subject = :subject

-- name: healths
SELECT account, kind, subject, condition, reason, code, operation, held_since, interval, trial_at, version
FROM health WHERE account = :account ORDER BY kind, subject

-- name: stream_events
SELECT seq, account, stream, stream_id, subject, position, kind, version, recorded_at, occurred_at, actor, channel,
       credential, release, attempt, reason, data
FROM event WHERE account = :account AND stream = :stream AND stream_id = :stream_id AND seq > :after ORDER BY seq LIMIT :limit

-- name: troubles
SELECT seq, account, stream, stream_id, subject, position, kind, version, recorded_at, occurred_at, actor, channel,
       credential, release, attempt, reason, data
FROM event WHERE account = :account AND channel = :channel
AND kind IN ('attempt_refused', 'attempt_deferred', 'attempt_unknown', 'receipt_returned', 'hold_started') AND reason <> ''
AND recorded_at >= :since AND recorded_at <= :until ORDER BY seq

-- name: account_events
SELECT seq, account, stream, stream_id, subject, position, kind, version, recorded_at, occurred_at, actor, channel,
       credential, release, attempt, reason, data
FROM event WHERE account = :account AND seq > :after ORDER BY seq LIMIT :limit

-- name: orphans
SELECT account, channel, event_id, provider_id, receipt, created_at FROM orphan
WHERE (account, channel, event_id) > (:after_account, :after_channel, :after_event) ORDER BY account, channel, event_id LIMIT :limit

-- name: seen
SELECT 1 FROM seen WHERE account = :account AND channel = :channel AND event_id = :event_id

-- name: token_by_hash
SELECT account, id, digest, name, scopes, created_at, expires_at, revoked_at, agent FROM token WHERE digest = :digest

-- name: tokens
SELECT account, id, digest, name, scopes, created_at, expires_at, revoked_at, agent FROM token WHERE account = :account ORDER BY id

-- name: answer
SELECT account, key, digest, code, body, created_at FROM answer WHERE account = :account AND key = :key

-- name: cursor
SELECT account, channel, cursor, at FROM cursor WHERE account = :account AND channel = :channel

-- name: file
SELECT account, id, name, media_type, size, key, created_at FROM file WHERE account = :account AND id = :id

-- name: counts
SELECT state, count(*) AS number FROM delivery WHERE account = :account GROUP BY state

-- name: written
SELECT coalesce(sum(tail), 0) FROM lane WHERE account = :account

-- name: installation
SELECT id, created_at FROM installation

-- name: document
SELECT account, kind, id, version, updated_at, data FROM document WHERE account = :account AND kind = :kind AND id = :id

-- name: documents
SELECT account, kind, id, version, updated_at, data FROM document WHERE account = :account AND kind = :kind ORDER BY id

-- name: documents_of_all
SELECT account, kind, id, version, updated_at, data FROM document WHERE kind = :kind ORDER BY account, id

-- name: documents_measured
SELECT account, count(*), coalesce(sum(length(data)), 0) FROM document WHERE kind = :kind GROUP BY account ORDER BY account

-- name: release_share
SELECT release, low, high FROM release_share WHERE release = :release

-- name: shared_users
SELECT c.account, c.id, c.provider, c.name, c.config, c.credential, c.enabled, c.throttled_until, c.created_at, c.updated_at
FROM channel c JOIN credential r ON r.account = c.account AND r.id = c.credential WHERE r.shared = :shared ORDER BY c.account, c.id

-- What the detectors read of all accounts, in order; the last row is the mark up to which the ledger was read.
-- name: signals_after
SELECT * FROM (
  SELECT :place AS place, seq, recorded_at, account, stream_id, subject, kind, channel, credential, release, attempt, reason,
         CASE kind WHEN 'attempt_accepted' THEN '' ELSE data END AS data
  FROM event WHERE seq > :after
  AND (kind = 'attempt_accepted'
    OR kind IN ('attempt_refused', 'attempt_deferred', 'attempt_unknown') AND attempt = 1
    OR kind IN ('hold_started', 'hold_prolonged', 'hold_ended', 'receipt_returned'))
  ORDER BY seq LIMIT :limit
) UNION ALL
SELECT :place, coalesce(max(seq), 0), 0, '', '', '', '', '', '', '', NULL, '', '' FROM event

-- Channels with nothing in their way, and since when the lane could run that has waited longest.
-- name: idle_lanes
SELECT account, channel, ready_at FROM (
  SELECT c.account, c.id AS channel, (
    SELECT min(l.ready_at) FROM lane l WHERE l.account = c.account AND l.channel = c.id
    AND l.head IS NOT NULL AND l.blocked = 0 AND l.owner = '') AS ready_at
  FROM channel c JOIN credential r ON r.account = c.account AND r.id = c.credential
  WHERE c.enabled = 1 AND c.throttled_until <= :now AND NOT EXISTS (
    SELECT 1 FROM health h WHERE h.condition <> 'well' AND (
      h.account = c.account AND h.kind = 'channel' AND h.subject = c.id
      OR h.account = c.account AND h.kind = 'credential' AND h.subject = r.id || '@' || r.fingerprint
      OR h.account = '' AND h.kind = 'credential' AND r.shared <> '' AND substr(h.subject, 1, length(r.shared) + 1) = r.shared || '@'))
) AS waiting WHERE ready_at <= :now
