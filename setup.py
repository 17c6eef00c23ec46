"""What pyproject.toml cannot say: data that ship from the top level, and a README whose links work on PyPI."""

import re
import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
SHIPPED = ("noise_models/*.json", "circuits/*/circuit.qasm", "circuits/*/task.json", "circuits/*/inputs.csv")
RELATIVE_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)]+)\)")


class BuildWithData(build_py):
    """`build_py` that also copies the data; installed in place, qprune reads them where they are."""

    def _shipped(self):
        for path in sorted(path for pattern in SHIPPED for path in HERE.glob(pattern)):
            yield path, Path(self.build_lib) / "qprune" / "_data" / path.relative_to(HERE)

    def run(self):
        super().run()
        if not self.editable_mode:
            for source, target in self._shipped():
                self.mkpath(str(target.parent))
                self.copy_file(str(source), str(target))

    def get_source_files(self):
        """What an sdist must hold."""
        return super().get_source_files() + [str(source.relative_to(HERE)) for source, _ in self._shipped()]

    def get_outputs(self, include_bytecode=True):
        return super().get_outputs(include_bytecode) + [str(target) for _, target in self._shipped()]


def readme():
    """README.md with relative links made absolute; without a repository in project.urls their words alone stay."""
    urls = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    repository = urls.get("Repository", "").rstrip("/")

    def absolute(link):
        bang, words, target = link.groups()
        return f"{bang}[{words}]({repository}/{'raw' if bang else 'blob'}/main/{target})" if repository else words

    return RELATIVE_LINK.sub(absolute, (HERE / "README.md").read_text(encoding="utf-8"))


setup(cmdclass={"build_py": BuildWithData}, long_description=readme(), long_description_content_type="text/markdown")
