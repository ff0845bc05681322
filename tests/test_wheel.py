"""What is installed from a wheel is what the checkout has, the built dashboard included."""

import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
#: What no wheel is made of, and takes long to copy.
BESIDE = ignore_patterns(".*", "node_modules", "__pycache__", "build", "*.egg-info", "screenshots", "*.db*")


def test_a_wheel_holds_all_of_the_package_and_nothing_else(tmp_path: Path) -> None:
    # Not in place: what an earlier build left in build/ would be packed, too.
    copytree(ROOT, tmp_path / "copy", ignore=BESIDE)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*command, tmp_path, tmp_path / "copy"], check=True, capture_output=True, text=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "isems").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == package
