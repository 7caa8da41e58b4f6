"""A rival: Triton with its Python backend, from the binary in the wheel of nvidia-pytriton.

    PYTHON benchmarks/peers/triton_server.py --model FILE --side 28 --mode L --port PORT [--tuned]

PYTHON is that of an environment with triton.txt, Linux on x86-64. Makes a model repository
in a temporary folder and starts the server on it. Knows nothing of Convolu.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

from picture_model import arguments

HERE = Path(__file__).parent
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
TRITON = SITE_PACKAGES / "pytriton" / "tritonserver"
GRACE_SECONDS = 15  # to stop in; unloading takes four, and children outlive a server in a hurry
DELAY_MICROSECONDS = 200  # that requests may wait for others when tuned
CONFIG = """
backend: "python"
max_batch_size: 16
input [ { name: "image" data_type: TYPE_UINT8 dims: [ -1 ] } ]
output [ { name: "probabilities" data_type: TYPE_FP32 dims: [ -1 ] } ]
instance_group [ { count: 2 kind: KIND_CPU } ]
"""


def write_repository(folder: Path, tuned: bool) -> None:
    """Lay out `folder` as a model repository with one model, `classifier`."""
    version = folder / "classifier" / "1"
    version.mkdir(parents=True)
    shutil.copy(HERE / "triton_model.py", version / "model.py")
    shutil.copy(HERE / "picture_model.py", version)
    delay = f"max_queue_delay_microseconds: {DELAY_MICROSECONDS}" if tuned else ""
    config = CONFIG + f"dynamic_batching {{ {delay} }}\n"
    (version.parent / "config.pbtxt").write_text(config)


def write_backend(folder: Path) -> None:
    """Put the backend's files where it looks for them: the stub of this Python beside the rest."""
    folder.mkdir(parents=True)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = TRITON / "python_backend_stubs" / python / "triton_python_backend_stub"
    for file in (*(TRITON / "backends" / "python").glob("*.*"), stub):
        (folder / file.name).symlink_to(file)


def environment() -> dict[str, str]:
    """Where the server finds its libraries, and its model the packages of this environment."""
    libraries = (
        SITE_PACKAGES / "nvidia_pytriton.libs",
        TRITON / "external_libs",
        sysconfig.get_config_var("LIBDIR"),
    )
    return os.environ | {
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "PEER_SITE_PACKAGES": str(SITE_PACKAGES),
    }


def main() -> int:
    """Serve until SIGTERM reaches this process and the server."""
    given = arguments()
    with TemporaryDirectory() as folder:
        repository, backends = Path(folder, "models"), Path(folder, "backends")
        write_repository(repository, given.tuned)
        write_backend(backends / "python")
        command = [
            str(TRITON / "bin" / "tritonserver"),
            f"--model-repository={repository}",
            f"--backend-directory={backends}",
            "--http-address=127.0.0.1",
            f"--http-port={given.port}",
            "--allow-grpc=false",
            "--allow-metrics=false",
            f"--exit-timeout-secs={GRACE_SECONDS}",
        ]
        # The group's signal ends the server; this process stays to remove the folder.
        signal.signal(signal.SIGTERM, lambda *_: None)
        return subprocess.run(command, env=environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
