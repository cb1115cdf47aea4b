"""What every test may use, and the real parts: in CI an absent part fails the test, elsewhere it is skipped by name."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from testkit import oci_registries, real_sigstore
from testkit.ci_runners import RUNNERS

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"

# A busy machine is no finding; and in CI the same examples come every time: what is new is searched for elsewhere.
settings.register_profile(
    "tests",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=os.environ.get("CI") == "true",
)
settings.load_profile("tests")

MANAGERS = REPOSITORY / ".tools" / "managers" / "node_modules"
PARTS = {
    "opa": (("opa",), "go install github.com/open-policy-agent/opa@v1.22.0"),
    "cosign": (("cosign",), "go install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"),
    "actionlint": (("actionlint",), "go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"),
    "runners": (
        ("act", "git", "openssl", "rsync", "sudo", "unshare", str(RUNNERS / "gitlab-ci-local")),
        "sh tools/install_parts.sh .tools/bin",
    ),
    "sigstore": (real_sigstore.COMMANDS, "sh tools/install_sigstore_parts.sh .tools/bin"),
    "oci": (oci_registries.COMMANDS, "sh tools/install_registry_parts.sh .tools/bin"),
    "s3": (("test_s3",), "sh tools/install_registry_parts.sh .tools/bin"),
    "npm": (("node", "npm"), "install Node.js 20 or newer with npm"),
    "go": (("go",), "install Go 1.26"),
    "chromium": (("chromium",), "apt-get install chromium"),
    "debian": (("mmdebstrap", "unshare", "chroot"), "apt-get install mmdebstrap"),
    "shells": (("bash", "zsh", "fish"), "apt-get install zsh fish"),
    "managers": (
        ("node", "git", *(str(MANAGERS / ".bin" / name) for name in ("bun", "npm", "pnpm", "yarn"))),
        "sh tools/install_parts.sh .tools/bin",
    ),
}


def pytest_configure() -> None:
    """Find the parts that `tools/install_parts.sh` installed, however pytest was started."""
    tools = REPOSITORY / ".tools" / "bin"
    os.environ["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or in CI fail, a test whose real part is absent."""
    for name, (commands, how) in PARTS.items():
        if item.get_closest_marker(name) is None:
            continue
        absent = [command for command in commands if shutil.which(command) is None]
        if absent and os.environ.get("CI") == "true":
            pytest.fail(f"{', '.join(absent)} is absent, and CI runs with every part: {how}", pytrace=False)
        if absent:
            pytest.skip(f"{', '.join(absent)} is absent: {how}")
    if item.get_closest_marker("shared") is not None and not SHARED.is_dir():
        pytest.skip("the shared test data does not lie beside this clone")


# Why a test may be skipped in CI: data that a lone clone does not have, and what root cannot try. Nothing else.
MAY_SKIP_IN_CI = ("shared", "root writes everywhere", "root may write", "POSIX", "only root may")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI: there a missing part is missing evidence."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(word in reason for word in MAY_SKIP_IN_CI):
            report.outcome = "failed"
            report.longrepr = f"skipped in CI, where every part must be present: {reason}"
    return report


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree: fixtures and scripts lie there, never the package under test."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The data beside the clone; use with the marker `shared`."""
    return SHARED


@pytest.fixture(scope="session")
def real_locks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with `lockfiles/NAME/` and `truth/NAME.json` of real projects; use with the marker `shared`."""
    archive = SHARED / "data" / "lockfiles.tar.xz"
    target = tmp_path_factory.mktemp("real-locks")
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    return target
