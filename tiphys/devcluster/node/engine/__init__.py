"""Pods as containers of a Docker or Podman engine of this machine, asked by the HTTP API that both of them serve."""
