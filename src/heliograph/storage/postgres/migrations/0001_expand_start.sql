-- The first schema. Times are microseconds since the epoch, UTC. Every table and every key leads with the account, so that a
-- sharded PostgreSQL can distribute by it. Text sorts by its bytes, as in the other engine.

CREATE TABLE installation (
  id          TEXT COLLATE "C" PRIMARY KEY,
  created_at  BIGINT NOT NULL
);

CREATE TABLE account (
  id          TEXT COLLATE "C" PRIMARY KEY,
  name        TEXT COLLATE "C" NOT NULL,
  locale      TEXT COLLATE "C" NOT NULL,
  standing    TEXT COLLATE "C" NOT NULL CHECK (standing IN ('ask', 'risk_duplicate', 'move_on')),
  next_number BIGINT NOT NULL DEFAULT 1,
  created_at  BIGINT NOT NULL
);

CREATE TABLE agent (
  account     TEXT COLLATE "C" NOT NULL REFERENCES account (id),
  id          TEXT COLLATE "C" NOT NULL,
  name        TEXT COLLATE "C" NOT NULL,
  role        TEXT COLLATE "C" NOT NULL CHECK (role IN ('agent', 'admin')),
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (account, id)
);

CREATE TABLE token (
  account     TEXT COLLATE "C" NOT NULL REFERENCES account (id),
  id          TEXT COLLATE "C" NOT NULL,
  digest      TEXT COLLATE "C" NOT NULL,
  name        TEXT COLLATE "C" NOT NULL,
  scopes      TEXT COLLATE "C" NOT NULL,
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL,
  revoked_at  BIGINT NOT NULL,
  agent       TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (account, id),
  UNIQUE (account, digest)
);
CREATE INDEX token_digest ON token (digest);

CREATE TABLE credential (
  account     TEXT COLLATE "C" NOT NULL REFERENCES account (id),
  id          TEXT COLLATE "C" NOT NULL,
  provider    TEXT COLLATE "C" NOT NULL,
  sealed      TEXT COLLATE "C" NOT NULL,
  fingerprint TEXT COLLATE "C" NOT NULL,
  identity    TEXT COLLATE "C" NOT NULL,
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (account, id)
);

CREATE TABLE channel (
  account         TEXT COLLATE "C" NOT NULL REFERENCES account (id),
  id              TEXT COLLATE "C" NOT NULL,
  provider        TEXT COLLATE "C" NOT NULL,
  name            TEXT COLLATE "C" NOT NULL,
  config          TEXT COLLATE "C" NOT NULL,
  credential      TEXT COLLATE "C" NOT NULL,
  enabled         INTEGER NOT NULL,
  throttled_until BIGINT NOT NULL,
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL,
  PRIMARY KEY (account, id),
  FOREIGN KEY (account, credential) REFERENCES credential (account, id)
);

-- Account '' is the installation: a credential that all accounts share.
CREATE TABLE health (
  account    TEXT COLLATE "C" NOT NULL,
  kind       TEXT COLLATE "C" NOT NULL CHECK (kind IN ('channel', 'credential')),
  subject    TEXT COLLATE "C" NOT NULL,
  condition  TEXT COLLATE "C" NOT NULL CHECK (condition IN ('well', 'held', 'trial')),
  reason     TEXT COLLATE "C" NOT NULL,
  code       TEXT COLLATE "C" NOT NULL,
  operation  TEXT COLLATE "C" NOT NULL,
  held_since BIGINT NOT NULL,
  interval   BIGINT NOT NULL,
  trial_at   BIGINT NOT NULL,
  version    BIGINT NOT NULL,
  PRIMARY KEY (account, kind, subject)
);
CREATE INDEX health_due ON health (trial_at) WHERE condition = 'held';

CREATE TABLE contact (
  account    TEXT COLLATE "C" NOT NULL REFERENCES account (id),
  id         TEXT COLLATE "C" NOT NULL,
  name       TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, id)
);

CREATE TABLE handle (
  account TEXT COLLATE "C" NOT NULL,
  channel TEXT COLLATE "C" NOT NULL,
  handle  TEXT COLLATE "C" NOT NULL,
  contact TEXT COLLATE "C" NOT NULL,
  blocked INTEGER NOT NULL,
  PRIMARY KEY (account, channel, handle),
  FOREIGN KEY (account, channel) REFERENCES channel (account, id),
  FOREIGN KEY (account, contact) REFERENCES contact (account, id)
);

CREATE TABLE conversation (
  account         TEXT COLLATE "C" NOT NULL,
  id              TEXT COLLATE "C" NOT NULL,
  channel         TEXT COLLATE "C" NOT NULL,
  address         TEXT COLLATE "C" NOT NULL,
  contact         TEXT COLLATE "C" NOT NULL,
  ticket          TEXT COLLATE "C" NOT NULL,
  control         TEXT COLLATE "C" NOT NULL,
  last_inbound_at BIGINT NOT NULL,
  removed         INTEGER NOT NULL,
  created_at      BIGINT NOT NULL,
  PRIMARY KEY (account, id),
  FOREIGN KEY (account, channel) REFERENCES channel (account, id),
  FOREIGN KEY (account, contact) REFERENCES contact (account, id)
);
-- `removed`: 0 in use, 1 gone at the provider, 2 merged at the provider into another one of ours.
CREATE UNIQUE INDEX conversation_address ON conversation (account, channel, address) WHERE removed = 0;
CREATE INDEX handle_contact ON handle (account, contact, channel);
CREATE INDEX conversation_recent ON conversation (account, channel, last_inbound_at);

CREATE TABLE ticket (
  account      TEXT COLLATE "C" NOT NULL,
  id           TEXT COLLATE "C" NOT NULL,
  number       BIGINT NOT NULL,
  conversation TEXT COLLATE "C" NOT NULL,
  channel      TEXT COLLATE "C" NOT NULL,
  contact      TEXT COLLATE "C" NOT NULL,
  state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'solved')),
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  PRIMARY KEY (account, id),
  UNIQUE (account, number),
  FOREIGN KEY (account, conversation) REFERENCES conversation (account, id)
);
CREATE INDEX ticket_recent ON ticket (account, state, updated_at, id);

CREATE TABLE comment (
  account     TEXT COLLATE "C" NOT NULL,
  id          TEXT COLLATE "C" NOT NULL,
  ticket      TEXT COLLATE "C" NOT NULL,
  author_kind TEXT COLLATE "C" NOT NULL CHECK (author_kind IN ('contact', 'agent', 'business')),
  author      TEXT COLLATE "C" NOT NULL,
  public      INTEGER NOT NULL,
  provider_id TEXT COLLATE "C" NOT NULL,
  occurred_at BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (account, id),
  FOREIGN KEY (account, ticket) REFERENCES ticket (account, id)
);
CREATE INDEX comment_ticket ON comment (account, ticket, id);

CREATE TABLE body (
  account TEXT COLLATE "C" NOT NULL,
  id      TEXT COLLATE "C" NOT NULL,
  data    TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (account, id)
);

-- One row per conversation. `head` is the lowest open sequence, NULL when nothing is open; it is
-- derived from the deliveries by one statement (lane_refresh) after each change.
CREATE TABLE lane (
  account     TEXT COLLATE "C" NOT NULL,
  id          TEXT COLLATE "C" NOT NULL,
  channel     TEXT COLLATE "C" NOT NULL,
  tail        BIGINT NOT NULL,
  head        BIGINT,
  ready_at    BIGINT NOT NULL,
  not_before  BIGINT NOT NULL,
  blocked     INTEGER NOT NULL,
  owner       TEXT COLLATE "C" NOT NULL,
  lease_until BIGINT NOT NULL,
  fence       BIGINT NOT NULL,
  PRIMARY KEY (account, id),
  FOREIGN KEY (account, id) REFERENCES conversation (account, id)
);
CREATE INDEX lane_runnable ON lane (account, channel, ready_at) WHERE head IS NOT NULL AND blocked = 0 AND owner = '';
CREATE INDEX lane_ready ON lane (ready_at) WHERE head IS NOT NULL AND blocked = 0 AND owner = '';
CREATE INDEX lane_owned ON lane (account, channel) WHERE owner <> '';
CREATE INDEX lane_lease ON lane (lease_until) WHERE owner <> '';

CREATE TABLE delivery (
  account      TEXT COLLATE "C" NOT NULL,
  id           TEXT COLLATE "C" NOT NULL,
  ticket       TEXT COLLATE "C" NOT NULL,
  comment      TEXT COLLATE "C" NOT NULL,
  channel      TEXT COLLATE "C" NOT NULL,
  lane         TEXT COLLATE "C" NOT NULL,
  seq          BIGINT NOT NULL,
  part         INTEGER NOT NULL,
  parts        INTEGER NOT NULL,
  state        TEXT COLLATE "C" NOT NULL CHECK (state IN
    ('queued', 'sending', 'unknown', 'asking', 'accepted', 'delivered', 'read', 'failed', 'cancelled')),
  reason       TEXT COLLATE "C" NOT NULL,
  code         TEXT COLLATE "C" NOT NULL,
  question     TEXT COLLATE "C" NOT NULL,
  attempt      INTEGER NOT NULL,
  attempt_open INTEGER NOT NULL,
  spent        INTEGER NOT NULL,
  epoch        INTEGER NOT NULL,
  returned     INTEGER NOT NULL,
  rank         INTEGER NOT NULL,
  provider_id  TEXT COLLATE "C" NOT NULL,
  ready_at     BIGINT NOT NULL,
  settle_at    BIGINT,
  queued_at    BIGINT NOT NULL,
  started_at   BIGINT NOT NULL,
  accepted_at  BIGINT NOT NULL,
  doubt_since  BIGINT NOT NULL,
  version      BIGINT NOT NULL,
  PRIMARY KEY (account, id),
  FOREIGN KEY (account, lane) REFERENCES lane (account, id),
  FOREIGN KEY (account, comment) REFERENCES comment (account, id),
  CHECK ((state = 'asking') = (question <> '')),
  CHECK ((attempt_open = 1) = (state = 'sending')),
  CHECK (state = 'unknown' OR settle_at IS NULL)
);
CREATE UNIQUE INDEX delivery_lane ON delivery (account, lane, seq);
CREATE INDEX delivery_open ON delivery (account, lane, seq) WHERE state IN ('queued', 'sending', 'unknown', 'asking');
CREATE INDEX delivery_settle ON delivery (settle_at) WHERE state = 'unknown' AND settle_at IS NOT NULL;
CREATE INDEX delivery_provider ON delivery (account, channel, provider_id) WHERE provider_id <> '';
CREATE INDEX delivery_noticed ON delivery (account, state, id) WHERE state IN ('queued', 'sending', 'unknown', 'asking', 'failed');

-- Append-only. `subject` and `position` are set where a row is folded from the event. Numbers are given out before the commit, so
-- a reader must skip what transactions that still run may have put between: that is what `txid` is for.
CREATE TABLE event (
  seq         BIGINT GENERATED ALWAYS AS IDENTITY,
  account     TEXT COLLATE "C" NOT NULL,
  stream      TEXT COLLATE "C" NOT NULL CHECK (stream IN ('ticket', 'channel', 'credential', 'release', 'incident', 'account')),
  stream_id   TEXT COLLATE "C" NOT NULL,
  subject     TEXT COLLATE "C" NOT NULL,
  position    BIGINT,
  kind        TEXT COLLATE "C" NOT NULL,
  version     BIGINT NOT NULL,
  recorded_at BIGINT NOT NULL,
  occurred_at BIGINT,
  actor       TEXT COLLATE "C" NOT NULL,
  channel     TEXT COLLATE "C" NOT NULL,
  credential  TEXT COLLATE "C" NOT NULL,
  release     TEXT COLLATE "C" NOT NULL,
  attempt     INTEGER,
  reason      TEXT COLLATE "C" NOT NULL,
  data        TEXT COLLATE "C" NOT NULL,
  txid        xid8 NOT NULL DEFAULT pg_current_xact_id(),
  PRIMARY KEY (account, seq)
);
CREATE INDEX event_stream ON event (account, stream, stream_id, seq);
CREATE UNIQUE INDEX event_position ON event (account, subject, position) WHERE position IS NOT NULL;
-- What an incident asks: which non-successes on this channel, in this time.
CREATE INDEX event_trouble ON event (account, channel, kind, recorded_at) WHERE reason <> '';
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE TRIGGER event_no_change BEFORE UPDATE OR DELETE ON event FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE seen (
  account  TEXT COLLATE "C" NOT NULL,
  channel  TEXT COLLATE "C" NOT NULL,
  event_id TEXT COLLATE "C" NOT NULL,
  at       BIGINT NOT NULL,
  PRIMARY KEY (account, channel, event_id)
);

CREATE TABLE orphan (
  account     TEXT COLLATE "C" NOT NULL,
  channel     TEXT COLLATE "C" NOT NULL,
  event_id    TEXT COLLATE "C" NOT NULL,
  provider_id TEXT COLLATE "C" NOT NULL,
  receipt     TEXT COLLATE "C" NOT NULL,
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (account, channel, event_id)
);

CREATE TABLE answer (
  account    TEXT COLLATE "C" NOT NULL,
  key        TEXT COLLATE "C" NOT NULL,
  digest     TEXT COLLATE "C" NOT NULL,
  code       INTEGER NOT NULL,
  body       TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, key)
);

CREATE TABLE cursor (
  account TEXT COLLATE "C" NOT NULL,
  channel TEXT COLLATE "C" NOT NULL,
  cursor  TEXT COLLATE "C" NOT NULL,
  at      BIGINT NOT NULL,
  PRIMARY KEY (account, channel)
);

CREATE TABLE file (
  account    TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  name       TEXT COLLATE "C" NOT NULL,
  media_type TEXT COLLATE "C" NOT NULL,
  size       BIGINT NOT NULL,
  key        TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, id)
);

-- Queues churn: room on the page for updates, and a vacuum that comes early.
ALTER TABLE lane SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
  autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE delivery SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
  autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE conversation SET (fillfactor = 80);
ALTER TABLE ticket SET (fillfactor = 80);

-- The role that all work is done as. It owns nothing, so that row-level security binds it whoever logs in.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'heliograph_app') THEN
    CREATE ROLE heliograph_app NOLOGIN;
  END IF;
  EXECUTE format('GRANT heliograph_app TO %I', current_user);
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this server was quicker
  WHEN insufficient_privilege THEN NULL; -- whoever made the role for us has granted it, or opening the store will say so
END $$;

-- Two walls against another account's rows: every query names the account, and these policies do too. The setting is empty, not
-- NULL, after a transaction that set it locally. '*' is the installation itself: its workers serve all accounts.
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['account', 'agent', 'token', 'credential', 'channel', 'health', 'contact', 'handle', 'conversation',
    'ticket', 'comment', 'body', 'lane', 'delivery', 'event', 'seen', 'orphan', 'answer', 'cursor', 'file'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format($policy$
      CREATE POLICY one_account ON %I USING (%I = (SELECT nullif(current_setting('heliograph.account', true), ''))
        OR (SELECT current_setting('heliograph.account', true)) = '*')$policy$,
      name, CASE name WHEN 'account' THEN 'id' ELSE 'account' END);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO heliograph_app', name);
  END LOOP;
END $$;
REVOKE UPDATE, DELETE ON event, seen FROM heliograph_app;
GRANT SELECT ON installation, schema_migration TO heliograph_app;
