"""What all documents and signatures of a run are verified with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sbomgate.model import FactKey, RegistrySignature, RegistryWord, SignatureState
from sbomgate.provenance import Verifier
from sbomgate.provenance.batch import verify_all
from testkit.questions import seen
from testkit.sigstore import TestSigstore

INTEGRITY = "sha512-" + "A" * 86 + "=="
KEY = FactKey(name="a", version="1.0.0", integrity=INTEGRITY)
RETIRED_AFTER = "2100-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("published", "in_use", "retired"),
    [
        pytest.param(None, "verified", "unknown", id="no time"),
        pytest.param("yesterday", "verified", "unknown", id="no time of any kind"),
        pytest.param("2024-01-01T00:00:00", "verified", "unknown", id="no zone"),
        pytest.param("1970-01-01T00:00:00Z", "verified", "unknown", id="before npm existed: no time either"),
        pytest.param(RETIRED_AFTER, "verified", "invalid", id="after the key was retired"),
    ],
)
def test_p25_the_registrys_word_for_the_time_judges_a_key_only_where_it_is_possible(
    published: str | None, in_use: str, retired: str, sigstore: TestSigstore, verifier: Verifier
) -> None:
    for is_retired, state in ((False, in_use), (True, retired)):
        one = RegistrySignature(**sigstore.registry_signature("a", "1.0.0", INTEGRITY, retired=is_retired))
        facts = seen(KEY)
        assert isinstance(facts.registry, RegistryWord)
        word = replace(facts.registry, published=published, integrity=INTEGRITY, signatures=(one,))
        _, signatures = verify_all({KEY: replace(facts, registry=word)}, verifier, {KEY: "00" * 64})
        assert signatures[KEY].state is SignatureState(state), signatures[KEY].reason
