-- What belongs to the installation itself: documents, shared credentials, and which release may send on which share of the lanes.

-- A row of low traffic that one service folds from its events, as JSON: a release, an incident, a notice, a follower …
-- Account '' is the installation.
CREATE TABLE document (
  account    TEXT COLLATE "C" NOT NULL,
  kind       TEXT COLLATE "C" NOT NULL,
  id         TEXT COLLATE "C" NOT NULL,
  version    BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  data       TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (account, kind, id)
);
ALTER TABLE document ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY one_account ON document USING (account = (SELECT nullif(current_setting('heliograph.account', true), ''))
  OR (SELECT current_setting('heliograph.account', true)) = '*');
GRANT SELECT, INSERT, UPDATE, DELETE ON document TO heliograph_app;

-- `shared`: the name of a credential of the environment; nothing is sealed then, and each release holds a version of its own.
ALTER TABLE credential ADD COLUMN shared TEXT COLLATE "C" NOT NULL DEFAULT '';

CREATE TABLE release_credential (
  release     TEXT COLLATE "C" NOT NULL,
  credential  TEXT COLLATE "C" NOT NULL,
  fingerprint TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (release, credential)
);

-- A release may claim lanes whose bucket (0 to 99) is at least `low` and below `high`. No row is no limit; 0 and 0 is none at all.
CREATE TABLE release_share (
  release TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  low     INTEGER NOT NULL,
  high    INTEGER NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON release_credential, release_share TO heliograph_app;

ALTER TABLE lane ADD COLUMN bucket INTEGER NOT NULL GENERATED ALWAYS AS (mod(hashtext(id)::bigint & 2147483647, 100)) STORED;
