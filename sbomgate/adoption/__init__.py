"""Taking sbomgate into an existing project: what is there, and which files would be added. Pure; `cli/init.py` writes.

found       what a project is: lockfile, package manager and its version, registries, scopes, CI system
proposal    the texts of new files: sbomgate.toml, the trust file, where a CI template goes
hardening   settings for the package manager's own file: no scripts, a minimum release age, exact saves
"""
