-- Writes of plain rows, one per class of ports.rows, in both engines. Parameters are the row's fields.

-- name: Account
INSERT INTO account (id, name, locale, standing, created_at) VALUES (:id, :name, :locale, :standing, :created_at)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, locale = excluded.locale, standing = excluded.standing

-- name: Agent
INSERT INTO agent (account, id, name, role, created_at) VALUES (:account, :id, :name, :role, :created_at)
ON CONFLICT (account, id) DO UPDATE SET name = excluded.name, role = excluded.role

-- name: Credential
INSERT INTO credential (account, id, provider, sealed, fingerprint, identity, created_at, shared)
VALUES (:account, :id, :provider, :sealed, :fingerprint, :identity, :created_at, :shared)
ON CONFLICT (account, id) DO UPDATE SET sealed = excluded.sealed, fingerprint = excluded.fingerprint, identity = excluded.identity,
  shared = excluded.shared

-- name: PinIdentity
UPDATE credential SET identity = :identity
WHERE account = :account AND id = :id AND fingerprint = :fingerprint AND identity = ''

-- name: Reseal
UPDATE credential SET sealed = :sealed WHERE account = :account AND id = :id AND sealed = :before

-- name: Channel
INSERT INTO channel (account, id, provider, name, config, credential, enabled, throttled_until, created_at, updated_at)
VALUES (:account, :id, :provider, :name, :config, :credential, :enabled, :throttled_until, :created_at, :updated_at)
ON CONFLICT (account, id) DO UPDATE SET name = excluded.name, config = excluded.config, credential = excluded.credential,
  enabled = excluded.enabled, updated_at = excluded.updated_at

-- name: Throttle
UPDATE channel SET throttled_until = :throttled_until
WHERE account = :account AND id = :id AND throttled_until < :throttled_until

-- name: Contact
INSERT INTO contact (account, id, name, created_at) VALUES (:account, :id, :name, :created_at)
ON CONFLICT (account, id) DO UPDATE SET name = excluded.name

-- name: Handle
INSERT INTO handle (account, channel, handle, contact, blocked) VALUES (:account, :channel, :handle, :contact, :blocked)

-- name: NameContact
UPDATE contact SET name = :name
WHERE account = :account AND id = :id AND name = ''
  AND EXISTS (SELECT 1 FROM handle h WHERE h.account = :account AND h.channel = :channel AND h.handle = :handle AND h.contact = :id)

-- name: BlockHandle
UPDATE handle SET blocked = :blocked WHERE account = :account AND channel = :channel AND handle = :handle

-- name: Conversation
INSERT INTO conversation (account, id, channel, address, contact, ticket, control, last_inbound_at, removed, created_at)
VALUES (:account, :id, :channel, :address, :contact, :ticket, :control, :last_inbound_at, :removed, :created_at)

-- name: Readdress
UPDATE conversation SET address = :address, removed = CASE id WHEN :id THEN :removed ELSE removed END
WHERE account = :account AND id IN (SELECT :id UNION ALL SELECT l.id FROM lane l WHERE l.account = :account AND l.survivor = :id)

-- name: SetControl
UPDATE conversation SET control = :control WHERE account = :account AND id = :id

-- name: RemoveConversation
UPDATE conversation SET removed = 1 WHERE account = :account AND id = :id

-- name: HeardFrom
UPDATE conversation SET ticket = :ticket,
  last_inbound_at = CASE WHEN last_inbound_at < :last_inbound_at THEN :last_inbound_at ELSE last_inbound_at END
WHERE account = :account AND id = :id

-- name: TouchTicket
UPDATE ticket SET updated_at = :updated_at WHERE account = :account AND id = :id AND updated_at < :updated_at

-- name: SetTicketState
UPDATE ticket SET state = :state, updated_at = :updated_at WHERE account = :account AND id = :id

-- name: Comment
INSERT INTO comment (account, id, ticket, author_kind, author, public, provider_id, occurred_at, created_at)
VALUES (:account, :id, :ticket, :author_kind, :author, :public, :provider_id, :occurred_at, :created_at)

-- name: Body
INSERT INTO body (account, id, data) VALUES (:account, :id, :data)
ON CONFLICT (account, id) DO UPDATE SET data = excluded.data

-- name: Orphan
INSERT INTO orphan (account, channel, event_id, provider_id, receipt, created_at)
VALUES (:account, :channel, :event_id, :provider_id, :receipt, :created_at)
ON CONFLICT (account, channel, event_id) DO NOTHING

-- name: DropOrphan
DELETE FROM orphan WHERE account = :account AND channel = :channel AND event_id = :event_id

-- name: Token
INSERT INTO token (account, id, digest, name, scopes, created_at, expires_at, revoked_at, agent)
VALUES (:account, :id, :digest, :name, :scopes, :created_at, :expires_at, :revoked_at, :agent)

-- name: RevokeToken
UPDATE token SET revoked_at = :revoked_at WHERE account = :account AND id = :id AND revoked_at = 0

-- name: Cursor
INSERT INTO cursor (account, channel, cursor, at) VALUES (:account, :channel, :cursor, :at)
ON CONFLICT (account, channel) DO UPDATE SET cursor = excluded.cursor, at = excluded.at

-- name: File
INSERT INTO file (account, id, name, media_type, size, key, created_at)
VALUES (:account, :id, :name, :media_type, :size, :key, :created_at)

-- name: Document
INSERT INTO document (account, kind, id, version, updated_at, data) VALUES (:account, :kind, :id, :version, :updated_at, :data)
ON CONFLICT (account, kind, id) DO UPDATE SET version = CASE excluded.version WHEN 0 THEN document.version + 1 ELSE excluded.version END,
  updated_at = excluded.updated_at, data = excluded.data

-- name: DropDocument
DELETE FROM document WHERE account = :account AND kind = :kind AND id = :id

-- name: ReleaseCredential
INSERT INTO release_credential (release, credential, fingerprint) VALUES (:release, :credential, :fingerprint)
ON CONFLICT (release, credential) DO UPDATE SET fingerprint = excluded.fingerprint

-- name: ReleaseShare
INSERT INTO release_share (release, low, high) VALUES (:release, :low, :high)
ON CONFLICT (release) DO UPDATE SET low = excluded.low, high = excluded.high
