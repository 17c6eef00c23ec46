"""What the documentation site adds to docs/ while MkDocs builds it: `make docs`.

The front page is README.md; what lies beside docs/ and is linked from there comes along; the reference is made from
docstrings, notebooks from docs/notebooks; formulas become MathML, so that nothing is fetched from anywhere.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
BESIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "circuits/README.md", "noise_models/README.md")
BESIDE += ("tests/README.md", "benchmarks/README.md", "benchmarks/results/*.md", "benchmarks/results/*.png")
PACKAGES = {"qprune": "qprune", "pennylane": "qprune.pennylane", "qiskit": "qprune.qiskit", "testing": "qprune.testing"}
PACKAGES["strategies"] = "qprune.selection.strategies"
CODE = r"(```.*?```|`[^`\n]*`)"
LINK = re.compile(CODE + r"|(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)", re.DOTALL)
MATH = re.compile(CODE + r"|\$\$(.+?)\$\$|\$([^$\n]+?)\$", re.DOTALL)
_formulas: list[str] = []


def on_config(config):
    """Pages that mkdocs.yml does not list stand at the end of the guide, notebooks in a section of their own."""
    listed = re.findall(r"[\w/-]+\.md", json.dumps(config["nav"]))
    more = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name not in listed)
    next(section["Guide"] for section in config["nav"] if "Guide" in section).extend(more)
    if pages := [f"notebooks/{path.stem}.md" for path in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))]:
        config["nav"].insert(2, {"Notebooks": pages})
    return config


def on_files(files, config):
    """README, what lies beside docs/, the reference, and notebooks as pages."""
    made = {"index.md": (ROOT / "README.md").read_text(encoding="utf-8")}
    for pattern in BESIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix == ".png":
                files.append(File.generated(config, f"beside/{name}", abs_src_path=str(path)))
            else:
                made[beside(name)] = path.read_text(encoding="utf-8")
    for page, package in PACKAGES.items():
        made[f"reference/{page}.md"] = reference(package)
    for path in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        files.remove(files.get_file_from_path(f"notebooks/{path.name}"))
        made[f"notebooks/{path.stem}.md"] = notebook(json.loads(path.read_text(encoding="utf-8")))
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links that lead out of docs/ lead to where that is on the site, or become words; formulas are put aside."""
    source = origin(page.file.src_uri)

    def link(found):
        code, bang, words, target, anchor = found.groups()
        if code:
            return code
        there = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        here = place(there)
        if files.get_file_from_path(here) is None:
            return found[0] if "/" not in target and files.get_file_from_path(target) else words
        relative = posixpath.relpath(here, posixpath.dirname(page.file.src_uri) or ".")
        return f"{bang}[{words}]({relative}{anchor or ''})"

    def formula(found):
        block = found[2] or (found[1] or "").removeprefix("```math").removesuffix("```") * (found[0][:7] == "```math")
        if found[1] and not block:
            return found[1]
        latex = (block or found[3]).replace(r"\thinspace", r"\,").replace(r"\lt", "<").replace(r"\gt", ">")
        _formulas.append(convert(latex, display="block" if block else "inline"))
        return f"qformula{len(_formulas) - 1}end"

    return MATH.sub(formula, LINK.sub(link, markdown))


def on_page_content(html, page, config, files):
    return re.sub(r"qformula(\d+)end", lambda found: _formulas[int(found[1])], html)


def beside(name):
    """Where a file of the repository is on the site."""
    return f"beside/{name if name.endswith('.md') else f'{name}.md'}"


def origin(uri):
    """The file of the repository that a page was made of."""
    if uri == "index.md":
        return "README.md"
    return uri.removeprefix("beside/") if uri.startswith("beside/") else f"docs/{uri}"


def place(name):
    """The page of a file of the repository."""
    if name == "README.md":
        return "index.md"
    if name.startswith("docs/"):
        return re.sub(r"\.ipynb$", ".md", name.removeprefix("docs/"))
    return f"beside/{name}" if name.endswith(".png") else beside(name)


def reference(package):
    """Every public name of a package, where it is defined."""
    tree = ast.parse((ROOT / Path(*package.split(".")) / "__init__.py").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    homes = {alias.asname or alias.name: f"{node.module}.{alias.name}" for node in imports for alias in node.names}
    listed = next(n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "__all__")
    names = [name for name in ast.literal_eval(listed) if name in homes and name not in ("__version__", "strategies")]
    parts = [f"# `{package.replace('.selection', '')}`", ast.get_docstring(tree) or ""]
    parts += [f"::: {homes[name]}" for name in sorted(names, key=lambda n: (n.lower(), n))]
    return "\n\n".join(parts) + "\n"


def notebook(cells):
    """A notebook as Markdown, with the outputs that it was kept with."""
    parts = []
    for cell in cells["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "text/html" in data:
                parts.append("".join(data["text/html"]))
            elif "image/png" in data:
                parts.append(f"![](data:image/png;base64,{''.join(data['image/png']).strip()})")
            else:
                parts.append("```text\n" + "".join(data.get("text/plain", output.get("text", ""))).rstrip() + "\n```")
    return "\n\n".join(parts) + "\n"
