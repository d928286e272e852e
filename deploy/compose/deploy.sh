#!/bin/sh
# Puts next.env (and HELIOGRAPH_IMAGE, if it is set) into service, if the gate lets it through. Replies go on all the time; the desk is
# away for the seconds in which its container is made anew, and services repeat the webhooks that they could not deliver.
set -eu
cd "$(dirname "$0")"
end() { docker compose --profile deploy rm --stop --force candidate >/dev/null; }
trap end EXIT
docker compose --profile deploy up --detach --no-deps --force-recreate candidate
if ! docker compose --profile deploy run --rm --no-deps gate; then
    echo "It was not let through; what ran was not stopped." >&2
    exit 1
fi
cp current.env previous.env 2>/dev/null || true
cp next.env current.env
docker compose up --detach --no-deps --wait heliograph
