"""A real S3 server on loopback: gofakes3, in memory (tools/registry_parts/test_s3)."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator


@contextlib.contextmanager
def s3_server(bucket: str) -> Iterator[dict[str, str]]:
    """Run it with one bucket, and give the variables by which a client finds it."""
    program = shutil.which("test_s3")
    assert program is not None
    with subprocess.Popen(
        [program, bucket], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            host = process.stdout.readline().decode().strip()
            yield {
                "AWS_ENDPOINT_URL": f"http://{host}",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "hunter2-canary",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        finally:
            process.stdin.close()  # it ends with its standard input
            process.wait(timeout=60)
