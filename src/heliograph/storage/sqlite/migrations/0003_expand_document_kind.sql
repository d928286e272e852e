-- What is asked of all accounts' documents is asked often, and most kinds are empty.
CREATE INDEX document_kind ON document (kind, account, id);
