"""What a checkpoint says about itself, checked against its tokenizer and shape, and mended.

Fine-tunes lose their generation settings in training, inherit a wrong parent's, or ask for beams.
The tokenizer is the truth about ids: it was used in training, the settings were not. Pure: works
on plain values, so every repair is a small test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from whisper_worker.alignment_heads import Heads, known_heads
from whisper_worker.failures import FatalFailure
from whisper_worker.vocabulary import Vocabulary

_ENGLISH_ONLY_SIZE = 51864  # OpenAI's English-only vocabularies; the multilingual ones are larger
_FULL_SIZE = 50_000
_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")


@dataclass(frozen=True)
class Shape:
    """What config.json says about the network."""

    vocabulary_size: int
    decoder_layers: int
    decoder_heads: int


@dataclass(frozen=True)
class GenerationFacts:
    """Everything decoding needs to know, with the list of what had to be mended."""

    vocabulary: Vocabulary
    alignment_heads: Heads
    suppressed: tuple[int, ...]
    begin_suppressed: tuple[int, ...]
    repairs: tuple[str, ...]


@dataclass
class _Repairs:
    said: list[str] = field(default_factory=list[str])

    def expect(self, name: str, settings: Mapping[str, object], truth: object, source: str) -> None:
        """Note a setting that is missing or contradicts the truth."""
        value = settings.get(name)
        if value is None:
            self.said.append(f"{name}: taken from {source}")
        elif value != truth:
            self.said.append(f"{name}: corrected from {source}")


def settle(
    settings: Mapping[str, object], token_ids: Mapping[str, int], shape: Shape
) -> GenerationFacts:
    """Generation settings (generation_config.json), token → id, shape → facts and repairs."""
    repairs = _Repairs()
    if not settings:
        repairs.said.append("generation_config.json: missing, rebuilt from the tokenizer")
    vocabulary = _vocabulary(settings, token_ids, shape)
    if settings:
        _compare(repairs, settings, vocabulary)
    heads = _alignment_heads(repairs, settings, shape)
    suppressed, begin_suppressed = _suppressions(repairs, settings, token_ids, vocabulary)
    _note_overridden(repairs, settings)
    return GenerationFacts(
        vocabulary, heads, suppressed, begin_suppressed, tuple(dict.fromkeys(repairs.said))
    )


def _vocabulary(
    settings: Mapping[str, object], token_ids: Mapping[str, int], shape: Shape
) -> Vocabulary:
    ids = dict(token_ids)
    start = _required(ids, "<|startoftranscript|>")
    no_timestamps = _required(ids, "<|notimestamps|>")
    if no_timestamps >= shape.vocabulary_size:
        raise FatalFailure(
            "model_unsupported",
            f"The tokenizer does not fit the model: <|notimestamps|> is {no_timestamps}, "
            f"the model has {shape.vocabulary_size} tokens.",
        )
    is_multilingual = settings.get("is_multilingual")
    if not isinstance(is_multilingual, bool):
        is_multilingual = shape.vocabulary_size != _ENGLISH_ONLY_SIZE
    tasks = {name: _required(ids, f"<|{name}|>") for name in ("translate", "transcribe")}
    return Vocabulary(
        size=shape.vocabulary_size,
        end_of_text=_required(ids, "<|endoftext|>"),
        start_of_transcript=start,
        start_of_previous=_required(ids, "<|startofprev|>"),
        # v3 says nospeech, older ones nocaptions; both stand right before notimestamps.
        no_speech=ids.get("<|nospeech|>", ids.get("<|nocaptions|>", no_timestamps - 1)),
        no_timestamps=no_timestamps,
        languages=_languages(ids, start, tasks["translate"]) if is_multilingual else {},
        tasks=tasks if is_multilingual else {},
    )


def _required(token_ids: Mapping[str, int], token: str) -> int:
    if token not in token_ids:
        raise FatalFailure("model_unsupported", f"The tokenizer has no {token}: not a Whisper's.")
    return token_ids[token]


def _languages(token_ids: Mapping[str, int], start: int, end: int) -> dict[str, int]:
    """Language tokens stand between <|startoftranscript|> and <|translate|>, most spoken first."""
    found = [
        (id_, match[1]) for token, id_ in token_ids.items() if (match := _LANGUAGE.fullmatch(token))
    ]
    return {code: id_ for id_, code in sorted(found) if start < id_ < end}


def _compare(repairs: _Repairs, settings: Mapping[str, object], vocabulary: Vocabulary) -> None:
    source = "the tokenizer"
    repairs.expect("decoder_start_token_id", settings, vocabulary.start_of_transcript, source)
    repairs.expect("no_timestamps_token_id", settings, vocabulary.no_timestamps, source)
    repairs.expect("prev_sot_token_id", settings, vocabulary.start_of_previous, source)
    if vocabulary.is_multilingual:
        languages = {f"<|{code}|>": id_ for code, id_ in vocabulary.languages.items()}
        repairs.expect("lang_to_id", settings, languages, source)
        repairs.expect("task_to_id", settings, dict(vocabulary.tasks), source)
        repairs.expect("is_multilingual", settings, True, "the vocabulary's size")


def _alignment_heads(repairs: _Repairs, settings: Mapping[str, object], shape: Shape) -> Heads:
    known = known_heads(shape.decoder_layers, shape.decoder_heads, shape.vocabulary_size)
    given = settings.get("alignment_heads")
    if not given:
        repairs.said.append(f"alignment_heads: taken from {known.name}")
        return known.heads
    pairs = cast(Sequence[Sequence[int]], given)
    heads = tuple((int(layer), int(head)) for layer, head in pairs)
    if any(layer >= shape.decoder_layers or head >= shape.decoder_heads for layer, head in heads):
        repairs.said.append(f"alignment_heads: of another model, replaced from {known.name}")
        return known.heads
    return heads


def _suppressions(
    repairs: _Repairs,
    settings: Mapping[str, object],
    token_ids: Mapping[str, int],
    vocabulary: Vocabulary,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What may never be said, and what may not be said first. Specials and timestamps never may:
    transformers allows them after <|notimestamps|>, and fine-tunes then loop."""
    end = vocabulary.end_of_text
    listed = _ids(settings.get("suppress_tokens"))
    suppressed = {id_ for id_ in listed if 0 <= id_ < vocabulary.size} | set(vocabulary.specials)
    first = settings.get("begin_suppress_tokens")
    if not settings:
        # OpenAI's own two. Settings that are there and do not name any mean to allow all.
        repairs.said.append("begin_suppress_tokens: set to the end of text and a lone space")
        first = [end]
        space = token_ids.get("Ġ")
        if space is not None and vocabulary.size > _FULL_SIZE:  # small ones build words on it
            first.append(space)
    begin = {id_ for id_ in _ids(first) if 0 <= id_ < vocabulary.size}
    return tuple(sorted(suppressed - {end})), tuple(sorted(begin))


def _ids(value: object) -> list[int]:
    return [int(id_) for id_ in cast(Iterable[int], value)] if value else []


def _note_overridden(repairs: _Repairs, settings: Mapping[str, object]) -> None:
    """Settings that are ignored here, because they would change what a request asked for."""
    if settings.get("forced_decoder_ids"):
        repairs.said.append("forced_decoder_ids: removed, the request names language and task")
    beams = settings.get("num_beams")
    if isinstance(beams, int) and beams > 1:
        repairs.said.append(f"num_beams: {beams} reset to 1")
    if settings.get("do_sample"):
        repairs.said.append("do_sample: switched off, the request names the temperature")
    if settings.get("return_timestamps"):
        repairs.said.append("return_timestamps: switched off, times come from the alignment")
