-- The first schema. Narrow tables are WITHOUT ROWID; wide ones are not, since their rows would fill the inner pages of the tree.
-- Times are microseconds since the epoch, UTC. Every table leads with the account. Where much is written, lists of three and more words
-- are written with OR: for IN, SQLite builds a tree in memory each time, which is a third of the whole statement.

CREATE TABLE installation (
  id          TEXT PRIMARY KEY,
  created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
  id          TEXT PRIMARY KEY,
  name        TEXT NOT NULL,
  locale      TEXT NOT NULL,
  standing    TEXT NOT NULL CHECK (standing IN ('ask', 'risk_duplicate', 'move_on')),
  next_number INTEGER NOT NULL DEFAULT 1,
  created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE agent (
  account     TEXT NOT NULL REFERENCES account (id),
  id          TEXT NOT NULL,
  name        TEXT NOT NULL,
  role        TEXT NOT NULL CHECK (role IN ('agent', 'admin')),
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
  account     TEXT NOT NULL REFERENCES account (id),
  id          TEXT NOT NULL,
  digest      TEXT NOT NULL UNIQUE,
  name        TEXT NOT NULL,
  scopes      TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  revoked_at  INTEGER NOT NULL,
  agent       TEXT NOT NULL,
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
  account     TEXT NOT NULL REFERENCES account (id),
  id          TEXT NOT NULL,
  provider    TEXT NOT NULL,
  sealed      TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  identity    TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (account, id)
) STRICT;

CREATE TABLE channel (
  account         TEXT NOT NULL REFERENCES account (id),
  id              TEXT NOT NULL,
  provider        TEXT NOT NULL,
  name            TEXT NOT NULL,
  config          TEXT NOT NULL,
  credential      TEXT NOT NULL,
  enabled         INTEGER NOT NULL,
  throttled_until INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  PRIMARY KEY (account, id),
  FOREIGN KEY (account, credential) REFERENCES credential (account, id)
) STRICT;

-- Account '' is the installation: a credential that all accounts share.
CREATE TABLE health (
  account    TEXT NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('channel', 'credential')),
  subject    TEXT NOT NULL,
  condition  TEXT NOT NULL CHECK (condition IN ('well', 'held', 'trial')),
  reason     TEXT NOT NULL,
  code       TEXT NOT NULL,
  operation  TEXT NOT NULL,
  held_since INTEGER NOT NULL,
  interval   INTEGER NOT NULL,
  trial_at   INTEGER NOT NULL,
  version    INTEGER NOT NULL,
  PRIMARY KEY (account, kind, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX health_due ON health (trial_at) WHERE condition = 'held';

CREATE TABLE contact (
  account    TEXT NOT NULL REFERENCES account (id),
  id         TEXT NOT NULL,
  name       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE handle (
  account TEXT NOT NULL,
  channel TEXT NOT NULL,
  handle  TEXT NOT NULL,
  contact TEXT NOT NULL,
  blocked INTEGER NOT NULL,
  PRIMARY KEY (account, channel, handle),
  FOREIGN KEY (account, channel) REFERENCES channel (account, id),
  FOREIGN KEY (account, contact) REFERENCES contact (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE conversation (
  account         TEXT NOT NULL,
  id              TEXT NOT NULL,
  channel         TEXT NOT NULL,
  address         TEXT NOT NULL,
  contact         TEXT NOT NULL,
  ticket          TEXT NOT NULL,
  control         TEXT NOT NULL,
  last_inbound_at INTEGER NOT NULL,
  removed         INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  PRIMARY KEY (account, id),
  FOREIGN KEY (account, channel) REFERENCES channel (account, id),
  FOREIGN KEY (account, contact) REFERENCES contact (account, id)
) STRICT;
-- `removed`: 0 in use, 1 gone at the provider, 2 merged at the provider into another one of ours.
CREATE UNIQUE INDEX conversation_address ON conversation (account, channel, address) WHERE removed = 0;
CREATE INDEX handle_contact ON handle (account, contact, channel);
CREATE INDEX conversation_recent ON conversation (account, channel, last_inbound_at);

CREATE TABLE ticket (
  account      TEXT NOT NULL,
  id           TEXT NOT NULL,
  number       INTEGER NOT NULL,
  conversation TEXT NOT NULL,
  channel      TEXT NOT NULL,
  contact      TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('open', 'solved')),
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  PRIMARY KEY (account, id),
  UNIQUE (account, number),
  FOREIGN KEY (account, conversation) REFERENCES conversation (account, id)
) STRICT;
CREATE INDEX ticket_recent ON ticket (account, state, updated_at, id);

CREATE TABLE comment (
  account     TEXT NOT NULL,
  id          TEXT NOT NULL,
  ticket      TEXT NOT NULL,
  author_kind TEXT NOT NULL CHECK (author_kind = 'contact' OR author_kind = 'agent' OR author_kind = 'business'),
  author      TEXT NOT NULL,
  public      INTEGER NOT NULL,
  provider_id TEXT NOT NULL,
  occurred_at INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (account, id),
  FOREIGN KEY (account, ticket) REFERENCES ticket (account, id)
) STRICT;
CREATE INDEX comment_ticket ON comment (account, ticket, id);

CREATE TABLE body (
  account TEXT NOT NULL,
  id      TEXT NOT NULL,
  data    TEXT NOT NULL,
  PRIMARY KEY (account, id)
) STRICT;

-- One row per conversation. `head`, `ready_at` and `blocked` are those of the lowest open delivery, NULL when nothing is
-- open: derived from the deliveries, in the statement that follows each change of one.
CREATE TABLE lane (
  account     TEXT NOT NULL,
  id          TEXT NOT NULL,
  channel     TEXT NOT NULL,
  tail        INTEGER NOT NULL,
  head        INTEGER,
  ready_at    INTEGER,
  not_before  INTEGER NOT NULL,
  blocked     INTEGER,
  owner       TEXT NOT NULL,
  lease_until INTEGER NOT NULL,
  fence       INTEGER NOT NULL,
  PRIMARY KEY (account, id),
  FOREIGN KEY (account, id) REFERENCES conversation (account, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX lane_runnable ON lane (account, channel, ready_at) WHERE head IS NOT NULL AND blocked = 0 AND owner = '';
CREATE INDEX lane_owned ON lane (account, channel) WHERE owner <> '';

CREATE TABLE delivery (
  account      TEXT NOT NULL,
  id           TEXT NOT NULL,
  ticket       TEXT NOT NULL,
  comment      TEXT NOT NULL,
  channel      TEXT NOT NULL,
  lane         TEXT NOT NULL,
  seq          INTEGER NOT NULL,
  part         INTEGER NOT NULL,
  parts        INTEGER NOT NULL,
  state        TEXT NOT NULL CHECK (
    state = 'queued' OR state = 'sending' OR state = 'unknown' OR state = 'asking' OR state = 'accepted' OR state = 'delivered'
    OR state = 'read' OR state = 'failed' OR state = 'cancelled'),
  reason       TEXT NOT NULL,
  code         TEXT NOT NULL,
  question     TEXT NOT NULL,
  attempt      INTEGER NOT NULL,
  attempt_open INTEGER NOT NULL,
  spent        INTEGER NOT NULL,
  epoch        INTEGER NOT NULL,
  returned     INTEGER NOT NULL,
  rank         INTEGER NOT NULL,
  provider_id  TEXT NOT NULL,
  ready_at     INTEGER NOT NULL,
  settle_at    INTEGER,
  queued_at    INTEGER NOT NULL,
  started_at   INTEGER NOT NULL,
  accepted_at  INTEGER NOT NULL,
  doubt_since  INTEGER NOT NULL,
  version      INTEGER NOT NULL,
  PRIMARY KEY (account, id),
  FOREIGN KEY (account, lane) REFERENCES lane (account, id),
  FOREIGN KEY (account, comment) REFERENCES comment (account, id),
  CHECK ((state = 'asking') = (question <> '')),
  CHECK (attempt_open = (state = 'sending')),
  CHECK (state = 'unknown' OR settle_at IS NULL)
) STRICT;
CREATE UNIQUE INDEX delivery_lane ON delivery (account, lane, seq);
CREATE INDEX delivery_settle ON delivery (settle_at) WHERE state = 'unknown' AND settle_at IS NOT NULL;
CREATE INDEX delivery_provider ON delivery (account, channel, provider_id) WHERE provider_id <> '';
CREATE INDEX delivery_failed ON delivery (account, id) WHERE state = 'failed';

-- Append-only. `subject` and `position` are set where a row is folded from the event; the compare-and-set on that row's version, in the
-- same transaction, is what makes positions unique and without gaps.
CREATE TABLE event (
  seq         INTEGER PRIMARY KEY,
  account     TEXT NOT NULL,
  stream      TEXT NOT NULL CHECK (
    stream = 'ticket' OR stream = 'channel' OR stream = 'credential' OR stream = 'release' OR stream = 'incident' OR stream = 'account'),
  stream_id   TEXT NOT NULL,
  subject     TEXT NOT NULL,
  position    INTEGER,
  kind        TEXT NOT NULL,
  version     INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  occurred_at INTEGER,
  actor       TEXT NOT NULL,
  channel     TEXT NOT NULL,
  credential  TEXT NOT NULL,
  release     TEXT NOT NULL,
  attempt     INTEGER,
  reason      TEXT NOT NULL,
  data        TEXT NOT NULL
) STRICT;
CREATE INDEX event_stream ON event (account, stream, stream_id, seq);
-- What an incident asks: which non-successes on this channel, in this time.
CREATE INDEX event_trouble ON event (account, channel, kind, recorded_at) WHERE reason <> '';
CREATE TRIGGER event_no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER event_no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TABLE seen (
  account  TEXT NOT NULL,
  channel  TEXT NOT NULL,
  event_id TEXT NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (account, channel, event_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE orphan (
  account     TEXT NOT NULL,
  channel     TEXT NOT NULL,
  event_id    TEXT NOT NULL,
  provider_id TEXT NOT NULL,
  receipt     TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (account, channel, event_id)
) STRICT;

CREATE TABLE answer (
  account    TEXT NOT NULL,
  key        TEXT NOT NULL,
  digest     TEXT NOT NULL,
  code       INTEGER NOT NULL,
  body       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (account, key)
) STRICT;

CREATE TABLE cursor (
  account TEXT NOT NULL,
  channel TEXT NOT NULL,
  cursor  TEXT NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (account, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE file (
  account    TEXT NOT NULL,
  id         TEXT NOT NULL,
  name       TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size       INTEGER NOT NULL,
  key        TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;
