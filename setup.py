"""Puts the noise models and the reference networks, which stand at the top level, into the package that is built."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
SHIPPED = (("noise_models", "*.json"), ("circuits", "*/circuit.qasm"), ("circuits", "*/task.json"))
SHIPPED += (("circuits", "*/inputs.csv"),)


class BuildWithData(build_py):
    """`build_py` that also copies the data; installed in place, qprune reads them where they are."""

    def _shipped(self):
        for folder, pattern in SHIPPED:
            for path in sorted((HERE / folder).glob(pattern)):
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


setup(cmdclass={"build_py": BuildWithData})
