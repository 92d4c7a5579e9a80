"""A wheel carries everything that Vireo needs at run time."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("build", reason="make setup installs it")
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_a_wheel_carries_all_schemas_and_templates_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("schemas", "templates"):
        files = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert files
        assert {f"reconciler/_assets/{path}" for path in files} <= names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"reconciler"}


@pytest.mark.slow
def test_an_installed_vireo_finds_its_schemas_and_templates(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    # The libraries come from this interpreter's environment, so that libvirt-python is not compiled again; Vireo does not.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    site = next(environment.glob("lib/python3*/site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    script = (
        f"import sys; sys.path.append({libraries!r})\n"
        "from pathlib import Path\n"
        "import reconciler\n"
        "from reconciler.cli import main\n"
        f"assert Path(reconciler.__file__).is_relative_to({str(site)!r})\n"
        "sys.exit(main())\n"
    )
    manifest = ROOT / "manifests" / "quickstart"
    for argv in (["schema", "Domain"], ["render", str(manifest)]):
        done = subprocess.run(
            [environment / "bin" / "python", "-c", script, *argv], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout
