"""What a newer trust root changes, in words that a person can judge before a trust file names it. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

from sbomgate.provenance.material import TrustMaterial, Window


def changes(old: TrustMaterial, new: TrustMaterial) -> list[str]:
    """Return a sentence for every key and authority that is added, removed, or valid in another period, sorted.

    `+` is what verifies from now on, `-` what does not any more (what it signed is invalid then), `~` what is valid in
    another period.
    """
    before, after = dict(_named(old)), dict(_named(new))
    return sorted(_said(before, after), key=lambda line: line[2:])


def _said(before: Mapping[str, tuple[Window, ...]], after: Mapping[str, tuple[Window, ...]]) -> Iterator[str]:
    for name in before.keys() | after.keys():
        was, now = _periods(before.get(name, ())), _periods(after.get(name, ()))
        if not was:
            yield f"+ {name}, valid {now}"
        elif not now:
            yield f"- {name}, was valid {was}"
        elif was != now:
            yield f"~ {name}, valid {now}, was {was}"


def _named(material: TrustMaterial) -> Iterator[tuple[str, tuple[Window, ...]]]:
    for what, logs in (("transparency log", material.logs), ("certificate log", material.ct_logs)):
        for log_id, key in logs.items():
            yield f"{what} {base64.b64encode(log_id).decode()}", (key.window,)
    for what, authorities in (
        ("certificate authority", material.authorities),
        ("timestamp authority", material.timestamp_authorities),
    ):
        found: dict[str, tuple[Window, ...]] = {}
        for one in authorities:
            # By its keys: a subject is a name that anybody may bear.
            keys = ",".join(digest.hex()[:16] for digest in one.key_hashes)
            name = f"{what} {one.certificates[0].subject.rfc4514_string()} (keys {keys})"
            found[name] = (*found.get(name, ()), one.window)
        yield from found.items()
    for (key_id, usage), keys_ in material.registry_keys.items():
        yield f"registry key {key_id} for {usage}", tuple(key.window for key in keys_)


def _periods(windows: tuple[Window, ...]) -> str:
    return " and ".join(sorted(str(window) for window in windows))
