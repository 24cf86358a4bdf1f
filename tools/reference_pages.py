"""Pages of the API reference, one for each part of the package: a hook of mkdocs, see `mkdocs.yml`."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PACKAGE = Path(__file__).resolve().parents[1] / "mov_ai"


def modules(part: Path) -> list[str]:
    """Dotted names of the modules of a part, which is a folder or a file; the folder itself comes first."""
    files = [part] if part.is_file() else sorted(part.rglob("*.py"), key=lambda path: (path.parent, path.name))
    names = []
    for file in files:
        # A package without a docstring only exports names that its modules define.
        if file.name != "__init__.py" or '"""' in file.read_text(encoding="utf-8")[:3]:
            parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages: a hook of mkdocs."""
    folders = [path.parent for path in sorted(PACKAGE.glob("*/__init__.py"))]
    single = [path for path in sorted(PACKAGE.glob("*.py")) if path.name != "__init__.py"]
    for part in [*folders, *single]:
        title = f"mov_ai.{part.stem}"
        sections = "\n\n".join(f"::: {name}" for name in modules(part))
        files.append(File.generated(config, f"reference/{part.stem}.md", content=f"# {title}\n\n{sections}\n"))
    return files
