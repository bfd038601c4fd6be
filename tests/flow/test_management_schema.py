"""The management API against its own description: whatever is sent, what comes back is what it says (schemathesis)."""

import subprocess
import sys
from pathlib import Path

from flow.accounts import Accounts
from flow.management import ROOT, Desk
from flow.programs import Gateway, plain_environment

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = 5  # for each operation
SECONDS_MAX = 120  # it takes a quarter of that alone on a machine


def test_it_does_what_its_description_says(gateway: Gateway, accounts: Accounts, tmp_path: Path) -> None:
    """As an administrator, so that every operation is reached; the same requests each time."""
    admin = Desk(gateway, accounts).administrator()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{gateway.url}{ROOT}/openapi.json"),
            *("--header", f"Authorization: Bearer {admin.key}", "--checks", CHECKS, "--phases", "fuzzing"),
            *("--max-examples", str(EXAMPLES), "--seed", "1", "--generation-database", "none", "--no-color"),
            *("--exclude-path", f"{ROOT}/users/{{user_id}}/block", "--continue-on-failure"),
        ],
        cwd=tmp_path,
        env={**plain_environment(), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert accounts.differences() == ()
