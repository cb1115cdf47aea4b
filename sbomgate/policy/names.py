"""Names one edit away from each other: what somebody mistypes, or wants to be mistaken for (CASES A30)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

MIN_LENGTH = 5
"""Letters: shorter names are all close to each other, and saying so would be noise."""

_WELL_KNOWN = """
angular async axios babel-core bluebird body-parser browserify chalk chokidar classnames cli-color colors
commander cookie-parser core-js cross-env cross-spawn crypto-js dayjs debug dotenv electron esbuild eslint
events execa express fastify fs-extra glob-parent graphql gulp handlebars helmet inquirer jquery js-yaml
jsonwebtoken lodash minimatch minimist mkdirp mocha moment mongodb mongoose mysql2 next-auth node-fetch node-gyp
nodemailer nodemon passport playwright postcss prettier prop-types puppeteer react react-dom react-native react-
router redux request requests rimraf rollup rxjs semver sequelize shelljs socket.io socket.io-client source-map
string-width strip-ansi styled-components supports-color svelte tailwindcss terser through2 tslib tslint
typescript uglify-js underscore undici validator vinyl webpack websocket winston xml2js yargs yargs-parser
"""

WELL_KNOWN = frozenset(_WELL_KNOWN.split())
"""Names that are imitated again and again; a hint for a person, never a reason to allow anything."""


def neighbours(names: Iterable[str], known: Iterable[str]) -> dict[str, list[str]]:
    """Return, for each of `names`, the `known` names at one insertion, deletion, replacement or swap, sorted.

    Costs the sum of the names' lengths, not their product: two names are one edit apart only if they meet after at
    most one letter is taken out of each. Two names of one scope are no neighbours: whoever owns the scope made both
    (`@types/ws` beside `@types/qs`); two scopes are.
    """
    wanted = [name for name in names if len(name) >= MIN_LENGTH]
    if not wanted:
        return {}
    index: defaultdict[str, set[str]] = defaultdict(set)
    for name in known:
        if len(name) >= MIN_LENGTH:
            for form in _forms(name):
                index[form].add(name)
    found: dict[str, list[str]] = {}
    for name in wanted:
        candidates = {other for form in _forms(name) for other in index.get(form, ())}
        if near := sorted(other for other in candidates if _is_mistakable(name, other)):
            found[name] = near
    return found


def _forms(name: str) -> set[str]:
    """Return the name, and the name without each of its letters."""
    return {name, *(name[:i] + name[i + 1 :] for i in range(len(name)))}


def _is_mistakable(name: str, other: str) -> bool:
    scope, slash, _ = name.partition("/")
    return other != name and not (slash and other.startswith(f"{scope}/")) and _one_edit(name, other)


def _one_edit(a: str, b: str) -> bool:
    """Whether one insertion, deletion, replacement or swap of neighbours turns one into the other."""
    if abs(len(a) - len(b)) > 1:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    rest_a, rest_b = a[start:], b[start:]
    return (
        rest_a[1:] == rest_b[1:]  # replaced
        or rest_a[1:] == rest_b  # one letter more
        or rest_a == rest_b[1:]  # one letter less
        or (rest_a[:2] == rest_b[1::-1] and rest_a[2:] == rest_b[2:])  # swapped
    )
