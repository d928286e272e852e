"""What each setting is for, in an operator's words."""

#: What is taken where a setting is left away and the default is not a value.
DERIVED = {
    "data": "`./heliograph-data`",
    "database_url": "SQLite in the data folder",
    "master_key": "the file `master.key` in the data folder",
    "release": "version and a digest of the code",
    "installation": "what the data folder was used with",
    "allow_networks": "none",
}
MEANINGS = {
    "data": "The folder of files, of the master key's file, and of the store if it is SQLite. Keep it on a local disk.",
    "database_url": "PostgreSQL as the store, for more than one process or machine.",
    "master_key": "Seals the secrets of accounts. Without it no stored secret opens again: keep a copy elsewhere.",
    "master_key_old": "Former master keys. What they have sealed opens, until `heliograph keys rotate` has sealed it anew.",
    "host": "Where to listen. `0.0.0.0` is every address; put TLS in front.",
    "port": "Where to listen; 0 takes a free one.",
    "public_url": "How people and providers reach this installation: in links, notices and webhook addresses.",
    "release": "What this version is called by the people who deploy it. Code and settings make the release; this only names it.",
    "installation": "The id of the store that is the right one. A release that finds another one is refused.",
    "concurrency": "How many replies are handed to providers at the same time, per process.",
    "connections": "How many connections to providers are open at most, per process.",
    "lease_seconds": "How long a process may work on a reply before another one asks what became of it.",
    "allow_networks": "Networks off the public internet that providers may be at. For a sandbox; otherwise leave it away.",
    "metrics": "Who may read `/metrics` without a token: this machine, or everybody.",
    "metrics_token": "What a scraper must present as a bearer token for `/metrics`.",
    "log_format": "How to log: JSON lines, or for people. `auto`: for people on a terminal.",
    "log_level": "From which level on to log. No level logs texts, names or secrets.",
    "operators": "Whom to page about incidents, as Apprise addresses.",
    "announcements": "Where the public hears of incidents, as Apprise addresses.",
    "alertmanager_url": "An Alertmanager that takes alerts.",
    "heartbeat_url": "Called regularly while all is well, so that somebody notices when nothing runs any more.",
    "smtp_url": "Through which server mails are sent.",
    "mail_from": "From whom mails come.",
    "zendesk_client": "The unique identifier of the global OAuth client with which Zendesk lets us push. Without one, Zendesk pulls.",
    "status_name": "What the public status page calls this installation.",
    "status_export": "A folder that the public status page is also written to as files, so that it outlives the server.",
}
