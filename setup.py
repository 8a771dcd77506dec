"""The optional C extension; everything else is in pyproject.toml.

Without a compiler, or with LEARNABLE_WAVELETS_PURE=1, the package is built without it and runs in plain torch.
LEARNABLE_WAVELETS_SANITIZE=address,undefined (or thread) builds it for tests with these sanitizers of GCC or clang.
"""

import gzip
import os
import re
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

FOLDER = "src/learnable_wavelets/kernels/cpu/csrc"
SANITIZE = os.environ.get("LEARNABLE_WAVELETS_SANITIZE", "")


class BuildKernels(build_ext):
    """Adds the flags that this compiler takes; without OpenMP the kernels run in one thread."""

    def build_extensions(self) -> None:
        """Build, with the flags first."""
        for extension in self.extensions:
            if self.compiler.compiler_type == "msvc":
                extension.extra_compile_args += ["/O2", "/std:c11"]
                continue
            extension.extra_compile_args += ["-O3", "-std=gnu11", "-Wno-psabi", "-Wno-unknown-pragmas", "-g0"]
            if SANITIZE:
                extension.extra_compile_args += ["-O1", "-g1", f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all"]
                extension.extra_link_args.append(f"-fsanitize={SANITIZE}")
            # Apple's clang has no libomp of its own, and a second copy beside torch's would clash.
            if sys.platform != "darwin" and self._takes("-fopenmp"):
                extension.extra_compile_args.append("-fopenmp")
                extension.extra_link_args.append("-fopenmp")
        if self.compiler.compiler_type != "msvc":  # whose driver sets itself up in its first call
            self._compile_side_by_side()
        super().build_extensions()

    def _compile_side_by_side(self) -> None:
        """Let the compiler work on as many sources at once as there are cores; setuptools takes one by one."""
        one_by_one = self.compiler.compile

        def compile_all(sources: list[str], *args: Any, **options: Any) -> list[str]:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                objects = pool.map(lambda source: one_by_one([source], *args, **options), sources)
                return [path for found in objects for path in found]

        self.compiler.compile = compile_all

    def _takes(self, flag: str) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text("#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n")
            try:
                objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=[flag])
                self.compiler.link_executable(objects, str(Path(folder, "probe")), extra_postargs=[flag])
            except Exception:  # whatever a compiler raises here, it does not take the flag
                return False
        return True


class Wheel(bdist_wheel):
    """A wheel that has no extension, since its build failed, fits every platform, and is tagged so."""

    def run(self) -> None:
        """Build, look, pack."""
        self.run_command("build")
        if not any(map(os.path.exists, self.get_finalized_command("build_ext").get_outputs())):
            self.distribution.ext_modules = []
            self.root_is_pure, self.py_limited_api = True, False
        super().run()


class SourceArchive(sdist):
    """With SOURCE_DATE_EPOCH the archive has that time, and no owners: equal sources give equal bytes."""

    def make_archive(self, base_name: str, format: str, *others: Any, **options: Any) -> str:
        """Write the tar archive; other formats are left to setuptools."""
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None or format != "gztar":
            return super().make_archive(base_name, format, *others, **options)

        def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = int(epoch), 0, 0, "", ""
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            return entry

        path = f"{base_name}.tar.gz"
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with (
            open(path, "wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=int(epoch)) as packed,
            tarfile.open(fileobj=packed, mode="w") as archive,
        ):
            archive.add(options["base_dir"], filter=plain)
        return path


def long_description() -> str:
    """Return the README with absolute links: PyPI shows it without the repository around it."""
    homepage = re.search(r'^Homepage = "(.+)"$', Path("pyproject.toml").read_text("utf-8"), re.MULTILINE)[1]

    def absolute(match: re.Match[str]) -> str:
        kind = "raw" if match[1].endswith((".png", ".svg")) else "blob"
        return f"]({homepage}/{kind}/main/{match[1]})"

    return re.sub(r"\]\((?!https?:|#)([^)\s]+)\)", absolute, Path("README.md").read_text("utf-8"))


kernels = Extension(
    "learnable_wavelets.kernels.cpu._cpu",
    sources=sorted(glob(f"{FOLDER}/*.c")),
    depends=sorted(glob(f"{FOLDER}/*.h")),
    define_macros=[("Py_LIMITED_API", "0x030A0000")],
    py_limited_api=True,
    optional=True,
)
pure = os.environ.get("LEARNABLE_WAVELETS_PURE", "0") not in ("", "0")

setup(
    long_description=long_description(),
    long_description_content_type="text/markdown",
    ext_modules=[] if pure else [kernels],
    cmdclass={"build_ext": BuildKernels, "bdist_wheel": Wheel, "sdist": SourceArchive},
    options={} if pure else {"bdist_wheel": {"py_limited_api": "cp310"}},
)
