"""Which GPUs a library or a wheel carries code for, read from its own sections.

    .venv/bin/python -m bench.machine_code .venv/lib/python3.12/site-packages/torch/lib/*.so
    .venv/bin/python -m bench.machine_code torch-2.13.0-cp312-cp312-manylinux_2_28_aarch64.whl

`torch.cuda.get_arch_list()` says what a build was asked for; this says what is in it, without a GPU
and for another processor's wheel too. A cubin is machine code: sm_120 runs on every 12.x. PTX is
compiled by the driver at the first start. The layout of the sections is the one that `cuobjdump`
shows; NVIDIA does not document it.
"""

from __future__ import annotations

import argparse
import mmap
import struct
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC = struct.pack("<I", 0xBA55ED50)
_KINDS = {1: "PTX", 2: "cubin"}
_SECTION = ".nv_fatbin"


@dataclass(frozen=True)
class Code:
    kind: str  # cubin or PTX
    architecture: int  # 120 for sm_120


def read_code(library: Path) -> Counter[Code]:
    """How many pieces of each there are; empty for a library without GPU code."""
    found: Counter[Code] = Counter()
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as bytes_:
        for start, end in _sections(bytes_):
            found.update(_pieces(bytes_, start, end))
    return found


def _sections(elf: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Begin and end of the sections that hold GPU code; ELF of 64 bits alone."""
    if elf[:5] != b"\x7fELF\x02":
        return
    (table,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    # name, type, flags, address, offset, size
    headers = [struct.unpack_from("<IIQQQQ", elf, table + index * size) for index in range(count)]
    for name, _type, _flags, _address, offset, length in headers:
        begin = headers[names][4] + name
        if elf[begin : elf.find(b"\0", begin)].decode() == _SECTION:
            yield offset, offset + length


def _pieces(elf: mmap.mmap, start: int, end: int) -> Iterator[Code]:
    place = elf.find(_MAGIC, start, end)
    while place >= 0:
        header, length = struct.unpack_from("<HQ", elf, place + 6)
        piece, last = place + header, place + header + length
        while piece < last:
            kind, header, size = struct.unpack_from("<HxxIQ", elf, piece)
            (architecture,) = struct.unpack_from("<I", elf, piece + 28)
            yield Code(_KINDS.get(kind, f"kind {kind}"), architecture)
            piece += header + size
        place = elf.find(_MAGIC, last, end)


def libraries(path: Path, unpacked: Path) -> Iterator[tuple[str, Path]]:
    """A library itself, or those in a wheel, one after the other."""
    if path.suffix != ".whl":
        yield path.name, path
        return
    with zipfile.ZipFile(path) as wheel:
        for name in wheel.namelist():
            if ".so" in Path(name).name:
                library = Path(wheel.extract(name, unpacked))
                yield Path(name).name, library
                library.unlink()


def main() -> int:
    parser = argparse.ArgumentParser("bench.machine_code", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path)
    print("| library | code | pieces |\n|---|---|---:|")
    has_any = False
    with tempfile.TemporaryDirectory() as unpacked:
        for path in parser.parse_args().paths:
            for name, library in libraries(path, Path(unpacked)):
                found = read_code(library)
                has_any = has_any or bool(found)
                for code in sorted(found, key=lambda one: (one.kind, one.architecture)):
                    print(f"| {name} | {code.kind} sm_{code.architecture} | {found[code]} |")
    return 0 if has_any else 1


if __name__ == "__main__":
    sys.exit(main())
