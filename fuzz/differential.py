import sys, tempfile
from pathlib import Path
HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "tests"), str(HERE.parent)]
from testkit import differential
if sys.argv[1:] == ["--make"]:
    with tempfile.TemporaryDirectory() as scratch, differential.bench(Path(scratch)) as bench:
        for name in differential.NAMES:
            if name.startswith("plain/"):
                bench.make(name, differential.FIXTURES / name)
