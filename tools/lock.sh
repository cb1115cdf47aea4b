#!/bin/sh
# Writes requirements/*.txt: exact versions with hashes, for every supported Python and platform.
set -eu
uv=$1
compile() { "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --custom-compile-command "make lock" "$@"; }
compile pyproject.toml -o requirements/run.txt
compile pyproject.toml --extra inventory -c requirements/run.txt -o requirements/inventory.txt
compile pyproject.toml --extra s3 -c requirements/inventory.txt -o requirements/s3.txt
compile pyproject.toml --extra spark -c requirements/inventory.txt -o requirements/spark.txt
compile pyproject.toml --extra s3 --group test -c requirements/s3.txt -o requirements/test.txt
compile pyproject.toml --extra s3 --group test --group dev -c requirements/test.txt -o requirements/dev.txt
printf 'hatchling==1.27.0\n' | compile - -o requirements/build.txt
printf 'mkdocs-material==9.8.1\n' | compile - -c requirements/dev.txt -o requirements/docs.txt
