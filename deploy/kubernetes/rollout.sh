#!/bin/sh
# Rolls out what kustomization.yaml says, waits for the gate, and goes back where it says no. Nothing of the former release has ended by
# then: its pods stay until new ones are let through. Needs kubectl. Exit codes: 0 it sends, 1 it was undone.
set -eu
cd "$(dirname "$0")"
space=heliograph
kubectl --namespace "$space" delete job heliograph-gate --ignore-not-found
kubectl apply -k .
# Whichever comes first: the job ends well, or it ends badly.
until kubectl --namespace "$space" wait --for=condition=complete job/heliograph-gate --timeout=2s >/dev/null 2>&1; do
    if kubectl --namespace "$space" wait --for=condition=failed job/heliograph-gate --timeout=1s >/dev/null 2>&1; then
        kubectl --namespace "$space" logs job/heliograph-gate >&2 || true
        kubectl --namespace "$space" rollout undo deployment/heliograph
        echo "It was not let through and is undone; the former release was not stopped." >&2
        exit 1
    fi
done
kubectl --namespace "$space" logs job/heliograph-gate
kubectl --namespace "$space" rollout status deployment/heliograph --timeout=300s
