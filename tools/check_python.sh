#!/bin/sh
# Is this Python good enough? One line says what to install where it is not.
python=$1
command -v "$python" >/dev/null 2>&1 || { echo "sbomgate needs Python 3.11 or newer: install python3 (Debian: apt-get install python3 python3-venv), or say make PYTHON=/path/to/python3.11" >&2; exit 2; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "sbomgate needs Python 3.11 or newer, and $python is $("$python" -V 2>&1): install a newer one, then say make PYTHON=/path/to/it" >&2; exit 2; }
"$python" -c 'import venv, ensurepip' 2>/dev/null || { echo "this Python has no venv or no pip: install them (Debian: apt-get install python3-venv)" >&2; exit 2; }
command -v git >/dev/null 2>&1 || { echo "sbomgate's set-up needs git: install it (Debian: apt-get install git)" >&2; exit 2; }
