"""Dataclasses of protocol.py to JSON lines and back, strictly.

A missing field, an unknown one or a wrong type is an error. Generic over the dataclasses, so that
a new message needs no code here.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal, Union, cast

from whisper_worker.protocol import (
    Cancel,
    DetectLanguage,
    Message,
    PcmGrown,
    Ping,
    Request,
    Shutdown,
    Transcribe,
)
from whisper_worker.speech_detection import SPEECH_DETECTION_RANGES

MAX_LINE_BYTES = 16 * 1024 * 1024
REQUEST_KINDS = (Transcribe, DetectLanguage, PcmGrown, Cancel, Ping, Shutdown)


class ProtocolError(Exception):
    """The other side said something this protocol does not contain."""


def format_line(message: Message | Request) -> bytes:
    """One UTF-8 JSON object and a newline. NaN and infinity are bugs here, not JSON."""
    body = {"kind": message.kind, **dataclasses.asdict(message)}
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def parse_request(line: bytes) -> Request:
    """The request in this line, checked to the last field."""
    request = cast(Request, parse_line(line, REQUEST_KINDS))
    if not isinstance(request, Shutdown) and request.id < 1:
        raise ProtocolError(f"id must be a positive integer, not {request.id}")
    if isinstance(request, Transcribe):
        _check_ranges(request)
    if _announced_samples(request) < 0:
        raise ProtocolError("a recording cannot have fewer than no samples")
    return request


def _check_ranges(request: Transcribe) -> None:
    _check_range("temperature", request.temperature, 0, 1)
    if request.languages == ():
        raise ProtocolError("a language cannot be one of none")
    if request.resume is not None and min(request.resume.windows, request.resume.samples) < 1:
        raise ProtocolError("nothing is resumed before its first window")
    for name, (least, most) in SPEECH_DETECTION_RANGES.items():
        value = None if request.vad is None else getattr(request.vad, name)
        if value is not None:
            _check_range(f"vad.{name}", value, least, most)


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ProtocolError(f"{name} must be {least:g}…{most:g}, not {value}")


def _announced_samples(request: Request) -> int:
    match request:
        case Transcribe() | DetectLanguage():
            return request.pcm_samples
        case PcmGrown():
            return request.samples
        case _:
            return 0


def parse_line(line: bytes, kinds: Iterable[type[Any]]) -> object:
    """The line as an instance of the one class among `kinds` whose kind it names."""
    if len(line) > MAX_LINE_BYTES:
        raise ProtocolError(f"a line is longer than {MAX_LINE_BYTES} bytes")
    try:
        body: object = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a line is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ProtocolError("a line is not a JSON object")
    fields = cast(dict[str, object], body)
    kind = fields.pop("kind", None)
    for candidate in kinds:
        if candidate.kind == kind:
            return _build(candidate, fields, str(kind))
    raise ProtocolError(f"unknown kind {kind!r}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


@cache
def _field_types(cls: type[Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _build(cls: type[Any], value: Mapping[str, object], where: str) -> object:
    expected = _field_types(cls)
    missing = sorted(expected.keys() - value.keys())
    unknown = sorted(value.keys() - expected.keys())
    if missing or unknown:
        raise ProtocolError(f"{where}: missing fields {missing}, unknown fields {unknown}")
    return cls(
        **{name: _check(kind, value[name], f"{where}.{name}") for name, kind in expected.items()}
    )


def _check(kind: Any, value: object, where: str) -> object:  # noqa: ANN401 - any hint
    """The value as the hint wants it: lists become tuples, objects dataclasses, ints floats."""
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin in (Union, types.UnionType):
        present = [argument for argument in arguments if argument is not types.NoneType]
        return None if value is None else _check(present[0], value, where)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list):
        items = cast(list[object], value)
        return tuple(_check(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(items))
    if origin is Mapping and isinstance(value, dict):
        pairs = cast(dict[str, object], value)
        return {key: _check(arguments[1], item, f"{where}.{key}") for key, item in pairs.items()}
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _build(cast(type[Any], kind), cast(dict[str, object], value), where)
    return _check_plain(kind, value, where)


def _check_plain(kind: object, value: object, where: str) -> object:
    # bool is a subclass of int in Python, but not in JSON.
    if kind is bool and isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str):
        return value
    if not isinstance(value, bool):
        if kind is int and isinstance(value, int):
            return value
        if kind is float and isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    raise ProtocolError(f"{where} has a wrong value: {str(value)[:80]!r}")
