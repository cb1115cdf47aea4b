#!/bin/sh
# Builds the wheel, the same bytes each time: build_wheel.sh PYTHON FOLDER. PYTHON has requirements/build.txt installed.
set -eu
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1577836800} # 2020-01-01: no build says when it was
export SOURCE_DATE_EPOCH
umask 022
exec "$1" -m hatchling build --target wheel --directory "$2"
