"""Make the environment in which this package runs beside its peers.

    python benchmarks/make_peers_environment.py FOLDER [--index ADDRESS]

A virtual environment in FOLDER, with the versions of `peers.txt` and this checkout. On
Linux the default build of PyTorch brings CUDA, some gigabytes: --index is the address
of an index with CPU builds, which is asked for PyTorch first. LeakPro (an empty package
on PyPI) and version 2 of ML Privacy Meter (not on it), which have RMIA, are not run.
"""

import argparse
import subprocess
import venv
from pathlib import Path

HERE = Path(__file__).parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--index", help="of CPU builds of PyTorch")
    options = parser.parse_args()
    venv.create(options.folder, with_pip=True)
    scripts = next(p for n in ("bin", "Scripts") if (p := options.folder / n).is_dir())

    def install(*what):
        python = str(scripts / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", *what], check=True)

    if options.index is not None:
        lines = (HERE / "peers.txt").read_text().splitlines()
        torch = next(line for line in lines if line.startswith("torch=="))
        install(torch, "--index-url", options.index)
    install("-r", str(HERE / "peers.txt"), "-e", f"{HERE.parent}[report]")
    print(f"{scripts / 'python'} benchmarks/bench_peers.py --quick")


if __name__ == "__main__":
    main()
