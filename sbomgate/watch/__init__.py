"""New releases of what the inventory holds that look wrong, before they land in any lockfile. Pure, but for `state`.

`state` is what a run leaves for the next one; `releases` says what a registry has that it had not; `judgement` puts
the new releases before the rules of the gate, as a graph, and makes alerts of what they and the release itself say.
"""
