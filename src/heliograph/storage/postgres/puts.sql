-- Plain rows of the classes that come in numbers, many at once; what is not here is written row by row with writes.sql.

-- name: Contact
INSERT INTO contact (account, id, name, created_at)
SELECT DISTINCT ON (account, id) account, id, name, created_at
FROM unnest(:account::text[], :id::text[], :name::text[], :created_at::bigint[]) WITH ORDINALITY
  AS w (account, id, name, created_at, n) ORDER BY account, id, n DESC
ON CONFLICT (account, id) DO UPDATE SET name = excluded.name

-- name: Handle
INSERT INTO handle (account, channel, handle, contact, blocked)
SELECT * FROM unnest(:account::text[], :channel::text[], :handle::text[], :contact::text[], :blocked::int[])

-- name: Conversation
INSERT INTO conversation (account, id, channel, address, contact, ticket, control, last_inbound_at, removed, created_at)
SELECT * FROM unnest(:account::text[], :id::text[], :channel::text[], :address::text[], :contact::text[], :ticket::text[], :control::text[],
  :last_inbound_at::bigint[], :removed::int[], :created_at::bigint[])

-- name: Ticket
INSERT INTO ticket (account, id, number, conversation, channel, contact, state, created_at, updated_at)
SELECT * FROM unnest(:account::text[], :id::text[], :number::bigint[], :conversation::text[], :channel::text[], :contact::text[],
  :state::text[], :created_at::bigint[], :updated_at::bigint[])

-- name: TouchTicket
UPDATE ticket t SET updated_at = w.updated_at
FROM (SELECT account, id, max(updated_at) AS updated_at
  FROM unnest(:account::text[], :id::text[], :updated_at::bigint[]) AS u (account, id, updated_at) GROUP BY account, id) AS w
WHERE t.account = w.account AND t.id = w.id AND t.updated_at < w.updated_at

-- name: Comment
INSERT INTO comment (account, id, ticket, author_kind, author, public, provider_id, occurred_at, created_at)
SELECT * FROM unnest(:account::text[], :id::text[], :ticket::text[], :author_kind::text[], :author::text[], :public::int[],
  :provider_id::text[], :occurred_at::bigint[], :created_at::bigint[])

-- name: Body
INSERT INTO body (account, id, data)
SELECT DISTINCT ON (account, id) account, id, data FROM unnest(:account::text[], :id::text[], :data::text[]) WITH ORDINALITY
  AS w (account, id, data, n) ORDER BY account, id, n DESC
ON CONFLICT (account, id) DO UPDATE SET data = excluded.data

-- name: Seen
INSERT INTO seen (account, channel, event_id, at)
SELECT * FROM unnest(:account::text[], :channel::text[], :event_id::text[], :at::bigint[])

-- name: Answer
INSERT INTO answer (account, key, digest, code, body, created_at)
SELECT * FROM unnest(:account::text[], :key::text[], :digest::text[], :code::int[], :body::text[], :created_at::bigint[])
