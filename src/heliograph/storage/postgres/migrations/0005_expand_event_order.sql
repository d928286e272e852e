-- Events are read by their numbers, and a number is given out before its transaction commits: one that commits late would put its
-- events behind a reader's back. So whoever writes events says first, for as long as its transaction runs, above which number they
-- will be; and readers stop there. What is said is a shared advisory lock ("EV" in the two highest bytes of its key, the number in
-- the others): nobody waits for it, and it ends with the transaction, however that ends, once its rows can be seen. As a trigger it
-- binds releases that are older than this step too.
GRANT SELECT ON SEQUENCE event_seq_seq TO heliograph_app;

CREATE FUNCTION announce_event_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared((17750::bigint << 48) | last_value) FROM event_seq_seq;
  RETURN NULL;
END $$;
-- Of the statement: it fires before the first row is given its number.
CREATE TRIGGER event_writer BEFORE INSERT ON event FOR EACH STATEMENT EXECUTE FUNCTION announce_event_writer();

-- The number up to which nothing can appear any more, for statements that begin after this one has ended. First the last number that
-- was given out, then the writers: whoever has a number up to it is found among them, or has ended.
CREATE FUNCTION event_horizon() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  given bigint;
  running bigint;
BEGIN
  SELECT last_value INTO given FROM event_seq_seq;
  SELECT min(((classid::bigint & 65535) << 32) | objid::bigint) INTO running FROM pg_locks
  WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = 17750
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
  RETURN least(given, running);
END $$;
