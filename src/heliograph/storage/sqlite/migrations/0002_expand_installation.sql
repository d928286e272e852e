-- What belongs to the installation itself: documents, shared credentials, and which release may send on which share of the lanes.

-- A row of low traffic that one service folds from its events, as JSON: a release, an incident, a notice, a follower …
-- Account '' is the installation.
CREATE TABLE document (
  account    TEXT NOT NULL,
  kind       TEXT NOT NULL,
  id         TEXT NOT NULL,
  version    INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  data       TEXT NOT NULL,
  PRIMARY KEY (account, kind, id)
) STRICT;

-- `shared`: the name of a credential of the environment; nothing is sealed then, and each release holds a version of its own.
ALTER TABLE credential ADD COLUMN shared TEXT NOT NULL DEFAULT '';

CREATE TABLE release_credential (
  release     TEXT NOT NULL,
  credential  TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  PRIMARY KEY (release, credential)
) STRICT, WITHOUT ROWID;

-- A release may claim lanes whose bucket (0 to 99) is at least `low` and below `high`. No row is no limit; 0 and 0 is none at all.
CREATE TABLE release_share (
  release TEXT NOT NULL PRIMARY KEY,
  low     INTEGER NOT NULL,
  high    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
