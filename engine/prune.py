"""Make the source that the engine is built from: `prune.py FOLDER` fills FOLDER (which is there, and empty).

OPA links what its built-ins may ever need: an HTTP client, TLS, X.509, keys and signatures, GraphQL, templates. The
capabilities forbid those built-ins, so their code could never run, and a third of the module would be compiled to
machine code at the first start for nothing. Here the modules of go.sum are copied to vendor/, the files of OPA that
hold nothing but such built-ins are taken out, and what else imports such packages imports their stand-ins (absent/).

Two more changes halve the function that sets up OPA's values, which was 6 % of all code and compiled by one processor
alone: tables of the numbers 0 to 512 are filled by loops, and the arguments of built-ins lose their descriptions, which
only documentation shows. No other line changes.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
OPA = Path("vendor", "github.com", "open-policy-agent", "opa")
OURS = ("*.go", "go.mod", "go.sum", "absent", "capabilities")

# Of v1/topdown: http.send, net.*, providers.*, graphql.*, json.match_schema, json.verify_schema and
# strings.render_template.
TAKEN_OUT = ("http", "http_fixup", "http_fixup_darwin", "net", "providers", "graphql", "jsonschema", "template")

# Package → its stand-in; in the files of OPA that import it.
ABSENT = {
    "net/http": "http",
    "crypto/tls": "tls",
    "crypto/x509": "x509",
    "crypto/rsa": "rsa",
    "crypto/ecdsa": "ecdsa",
    "crypto/ed25519": "ed25519",
    "github.com/lestrrat-go/jwx/v3/jwk": "jwk",
    "github.com/lestrrat-go/jwx/v3/jws/jwsbb": "jwsbb",
    "net/mail": "mail",
    "compress/gzip": "gzip",
    "github.com/open-policy-agent/opa/internal/methodlesstemplate": "template",
}
IMPORTING = (
    "internal/gojsonschema/errors.go",
    "internal/gojsonschema/format_checkers.go",
    "internal/gojsonschema/jsonLoader.go",
    "internal/gojsonschema/schema.go",
    "v1/topdown/crypto.go",
    "v1/topdown/tokens.go",
    "v1/tracing/tracing.go",
    "v1/util/close.go",
    "v1/util/read_gzip_body.go",
)

# v1/ast/interning.go: three tables, and what fills them.
NUMBERS = range(513)
TABLES = (
    "var stringToIntNumberTermMap = map[string]*Term{\n",
    '\t"-1":  minusOneTerm,\n',
    *(f'\t"{n}":'.ljust(8) + f"intNumberTerms[{n}],\n" for n in NUMBERS),
    "}\n\nvar intNumberValues = [...]Value{\n",
    *(f'\tNumber("{n}"),\n' for n in NUMBERS),
    "}\n\nvar intNumberTerms = [...]*Term{\n",
    *(f"\t{{Value: intNumberValues[{n}]}},\n" for n in NUMBERS),
    "}\n",
)
LOOPS = f"""\
var stringToIntNumberTermMap = func() map[string]*Term {{
	terms := map[string]*Term{{"-1": minusOneTerm}}
	for i, term := range intNumberTerms {{
		terms[strconv.Itoa(i)] = term
	}}
	return terms
}}()

var intNumberValues = func() (values [{len(NUMBERS)}]Value) {{
	for i := range values {{
		values[i] = Number(strconv.Itoa(i))
	}}
	return values
}}()

var intNumberTerms = func() (terms [{len(NUMBERS)}]*Term) {{
	for i := range terms {{
		terms[i] = &Term{{Value: intNumberValues[i]}}
	}}
	return terms
}}()
"""
# v1/ast/builtins.go
DESCRIPTION = re.compile(r'\.\s*Description\((?:"(?:[^"\\\n]|\\.)*"|`[^`]*`)\)')


def main() -> None:
    """Fill the folder."""
    folder = Path(sys.argv[1])
    for pattern in OURS:
        for path in sorted(HERE.glob(pattern)):
            if path.is_dir():
                shutil.copytree(path, folder / path.name)
            elif not path.name.endswith("_test.go"):
                shutil.copyfile(path, folder / path.name)
    subprocess.run(["go", "mod", "vendor"], cwd=folder, env=os.environ | {"GOFLAGS": "-mod=mod"}, check=True)
    topdown = folder / OPA / "v1" / "topdown"
    for name in TAKEN_OUT:
        (topdown / f"{name}.go").unlink()
    shutil.copyfile(folder / "absent" / "topdown" / "http.go", topdown / "http.go")
    found = set()
    for name in IMPORTING:
        path = folder / OPA / name
        text = path.read_text(encoding="utf-8")
        for package, absent in ABSENT.items():
            text, count = re.subn(
                rf'^((?:import)?\s(?:\w+ )?)"{package}"$', rf'\1"sbomgate/engine/absent/{absent}"', text, flags=re.M
            )
            found |= {(package, name)} if count else set()
        path.write_text(text, encoding="utf-8")
    ast = folder / OPA / "v1" / "ast"
    text = (ast / "interning.go").read_text(encoding="utf-8")
    if (tables := "".join(TABLES)) not in text:
        sys.exit("prune.py: OPA's tables of numbers are not the ones that are replaced")
    (ast / "interning.go").write_text(text.replace(tables, LOOPS), encoding="utf-8")
    text, count = DESCRIPTION.subn("", (ast / "builtins.go").read_text(encoding="utf-8"))
    if not count or re.search(r"\bDescription\(", text):
        sys.exit("prune.py: OPA describes the arguments of its built-ins in another way")
    (ast / "builtins.go").write_text(text, encoding="utf-8")
    if {package for package, _ in found} != set(ABSENT) or {name for _, name in found} != set(IMPORTING):
        sys.exit("prune.py: OPA imports other packages than the table says")


main()
