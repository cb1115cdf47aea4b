"""Facts from npm registries: what the tarball itself says, what the registry says, and the attestations.

`wanted.wanted` (pure) says what to collect for a graph, `collect.collect` collects it; the HTTP client is imported only
when something is fetched.
"""
