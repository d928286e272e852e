-- What the detectors read, of all accounts together, in an order in which nothing appears late: see reads.sql.
CREATE INDEX event_signal ON event (txid, seq) WHERE kind = 'attempt_accepted'
  OR kind IN ('attempt_refused', 'attempt_deferred', 'attempt_unknown') AND attempt = 1
  OR kind IN ('hold_started', 'hold_prolonged', 'hold_ended', 'receipt_returned');
