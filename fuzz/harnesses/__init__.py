"""One file per reader that takes bytes which others wrote.

A harness has

    def seeds() -> Iterator[tuple[str, bytes]]     name and bytes; `make_corpus.py` keeps them in corpus/HARNESS/
    def read(data: bytes) -> object                reads them; what may escape is an error of `sbomgate.errors`

and may have ALLOWED, the exceptions of a reader that is no door of its own: its callers turn them into values. Adding
one is adding its file and running `make_corpus.py`.

An input that is several files (a lockfile and what lies beside it) is one text, `inputs.pack`.
"""
