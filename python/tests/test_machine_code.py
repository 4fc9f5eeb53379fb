"""bench/machine_code.py: for which GPUs a library carries code, on libraries made here."""

import struct
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY))

from bench.machine_code import Code, libraries, main, read_code

PTX, CUBIN = 1, 2


def piece(kind, architecture, size=64):
    """A head of 48 bytes, as in the libraries that torch's wheel brings, and what it stands for."""
    head = struct.pack("<HHIQ12xI", kind, 0x101, 48, size, architecture)
    return head.ljust(48, b"\0") + bytes(size)


def fat_binary(*pieces):
    content = b"".join(pieces)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(content)) + content


def elf(**sections):
    """A library with nothing but sections: head, their contents, their names, the table."""
    names = b"\0" + b"".join(f".{name}\0".encode() for name in (*sections, "shstrtab"))
    contents = [*sections.values(), names]
    body, headers, at = b"", [bytes(64)], 64
    for name, content in zip((*sections, "shstrtab"), contents, strict=True):
        place = names.index(f".{name}\0".encode())
        headers.append(struct.pack("<IIQQQQ", place, 1, 0, 0, at, len(content)).ljust(64, b"\0"))
        body += content
        at += len(content)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + bytes(24) + struct.pack("<Q", at)
    last = struct.pack("<HHH", 64, len(headers), len(headers) - 1)
    return head.ljust(58, b"\0") + last + body + b"".join(headers)


@pytest.fixture
def library(tmp_path):
    path = tmp_path / "libwith.so"
    first = fat_binary(piece(CUBIN, 120), piece(CUBIN, 90, 8))
    second = fat_binary(piece(CUBIN, 120), piece(PTX, 121))
    # filled up between two, as linkers do
    path.write_bytes(elf(text=b"code", nv_fatbin=first + bytes(24) + second))
    return path


def test_each_piece_of_code_is_counted_by_kind_and_architecture(library):
    expected = {Code("cubin", 120): 2, Code("cubin", 90): 1, Code("PTX", 121): 1}

    assert read_code(library) == Counter(expected)


@pytest.mark.parametrize("content", [elf(text=b"code"), b"#!/bin/sh\n"])
def test_a_file_without_gpu_code_has_none(tmp_path, content):
    path = tmp_path / "libwithout.so"
    path.write_bytes(content)

    assert read_code(path) == Counter()


def test_a_wheel_is_read_library_by_library_and_leaves_nothing_behind(library, tmp_path):
    wheel, unpacked = tmp_path / "some.whl", tmp_path / "unpacked"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(library, "torch/lib/libwith.so.13")
        archive.writestr("torch/version.py", "cuda = '13.0'")

    found = [(name, sum(read_code(path).values())) for name, path in libraries(wheel, unpacked)]

    assert found == [("libwith.so.13", 4)]
    assert not [path for path in unpacked.rglob("*") if path.is_file()]


def test_the_command_fails_when_nothing_carries_code(library, tmp_path, monkeypatch, capsys):
    without = Path(tmp_path / "libwithout.so")
    without.write_bytes(elf(text=b"code"))

    monkeypatch.setattr(sys, "argv", ["machine_code", str(library), str(without)])
    assert main() == 0
    assert "| libwith.so | cubin sm_120 | 2 |" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["machine_code", str(without)])
    assert main() == 1
