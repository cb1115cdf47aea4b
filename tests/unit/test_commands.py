"""The names that a manifest's `bin` puts on the path, as npm makes them."""

from __future__ import annotations

import pytest

from sbomgate import commands


@pytest.mark.parametrize(
    ("bin_", "package", "names"),
    [
        pytest.param({"b": "b.js", "a": "./a.js"}, "x", ("a", "b"), id="sorted"),
        pytest.param("cli.js", "x", ("x",), id="a text is the package's own name"),
        pytest.param("cli.js", "@s/x", ("x",), id="without its scope"),
        pytest.param("cli.js", None, (), id="a text of a package without a name"),
        pytest.param("", "x", (), id="an empty path is none"),
        pytest.param(["bin/a.js", "node", 7], "x", ("a.js", "node"), id="a list of files"),
        pytest.param({"../node": "x.js", "c:\\sh": "x.js", "a/": "x.js"}, "x", ("a", "node", "sh"), id="the last part"),
        pytest.param({"..": "x.js", ".": "x.js", "": "x.js", "/": "x.js"}, "x", (), id="no name is left"),
        pytest.param({"a": None, "b": 7, "c": ["c.js"]}, "x", (), id="no path"),
        pytest.param(None, "x", (), id="none"),
        pytest.param(7, "x", (), id="a number"),
        pytest.param({"\ud800": "x.js"}, "x", ("?",), id="half a surrogate pair"),
    ],
)
def test_names(bin_: object, package: object, names: tuple[str, ...]) -> None:
    assert commands.names(bin_, package) == names
