"""Tells speech from hallucination, and says what it took away.

Removing what somebody said is the worst mistake. So no text is dropped for what it says alone:
every rule asks for a second witness (the speech detector, the words' probabilities, how fast it
would have been said, that other temperatures failed as well). Without one it is kept, and reported.
The thresholds of a whole window are OpenAI's: openai/whisper, decoding.py and transcribe.py. Pure.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal, TypeAlias, TypeVar

from whisper_worker.audio import to_seconds
from whisper_worker.credits import Span, find_credits
from whisper_worker.evidence import (
    MIN_PROBABILITY_IN_SILENCE,
    are_improbable,
    is_far_from_speech,
    is_too_fast,
    is_unlikely_speech,
)
from whisper_worker.loops import loop_start
from whisper_worker.protocol import Dropped, Warned
from whisper_worker.speech_model import Decoded, TimedWord
from whisper_worker.vad import Window

# OpenAI's ladder has six rungs up to 1.0. Three rescue nearly all that can be rescued and
# bound what noise may cost.
FALLBACK_TEMPERATURES = (0.0, 0.4, 0.8)
MAX_COMPRESSION_RATIO = 2.4
MIN_AVG_LOGPROB = -1.0
MAX_NO_SPEECH_PROB = 0.6

_Doubt: TypeAlias = Literal["repetition", "subtitle_credit", "silence"]


@dataclass(frozen=True)
class Judgement:
    """What is left of a window's text, what was removed from it, and what is doubtful in it."""

    kept: Decoded
    dropped: tuple[Dropped, ...] = ()
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True)
class _Finding:
    """Words that a rule doubts. None: the whole text, where there are no words to tell apart."""

    reason: _Doubt
    words: range | None
    has_evidence: bool


def temperature_ladder(temperature: float) -> tuple[float, ...]:
    """0 means "the surest, and try again when that fails"; anything else is an order."""
    return FALLBACK_TEMPERATURES if temperature == 0 else (temperature,)


def compression_ratio(text: str) -> float:
    """Bytes of text per byte of zlib: a loop compresses well. (transformers' counts token ids.)"""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))


def is_silence(decoded: Decoded) -> bool:
    """The model itself doubts that anybody spoke, and is unsure of the words."""
    return decoded.no_speech_prob > MAX_NO_SPEECH_PROB and decoded.avg_logprob < MIN_AVG_LOGPROB


def is_repetitive(decoded: Decoded) -> bool:
    return decoded.has_looped or decoded.compression_ratio > MAX_COMPRESSION_RATIO


def needs_fallback(decoded: Decoded) -> bool:
    if is_silence(decoded):
        return False  # another temperature would only find other words in the noise
    return is_repetitive(decoded) or decoded.avg_logprob < MIN_AVG_LOGPROB


def judge(decoded: Decoded, window: Window, said: int = 0) -> Judgement:
    """The last word on a window, after its last attempt.

    The first `said` characters have been streamed and cannot be taken back: what doubts them
    becomes a warning.
    """
    if not decoded.text.strip():
        return Judgement(decoded)
    if is_silence(decoded) and not said:
        start, end = to_seconds(window.start), to_seconds(window.end)
        nothing = _without(decoded, None)
        return Judgement(nothing, dropped=(Dropped("no_speech", start, end, decoded.text),))
    kept = decoded
    dropped: list[Dropped] = []
    warnings: list[Warned] = []
    for rule in (_repetitions, _credits, _silences):
        # The last words first, so that the places of the others stay true.
        for finding in sorted(rule(kept, window), key=_first_word, reverse=True):
            doubted = _describe(finding, kept, window)
            if finding.has_evidence and _characters_before(kept, finding) >= said:
                dropped.append(doubted)
                kept = _without(kept, finding.words)
            else:
                warnings.append(as_warning(doubted))
    if kept.avg_logprob < MIN_AVG_LOGPROB and kept.text.strip():
        start, end = to_seconds(window.start), to_seconds(window.end)
        warnings.append(Warned("unsure", start, end, kept.text))
    return Judgement(kept, _by_time(dropped), _by_time(warnings))


def as_warning(dropped: Dropped) -> Warned:
    """The same doubt about a text that was kept all the same."""
    reason = "unsure" if dropped.reason == "no_speech" else dropped.reason
    return Warned(reason, dropped.start, dropped.end, dropped.text)


def _repetitions(decoded: Decoded, window: Window) -> Iterator[_Finding]:
    """A loop, from its third occurrence on. Evidence: no other temperature got out of it."""
    if not is_repetitive(decoded):
        return
    words = decoded.words or ()
    loop = _looping_words(words)
    if not loop:
        yield _Finding("repetition", None, has_evidence=False)
    else:
        has_evidence = decoded.attempts > 1 or is_unlikely_speech(words, loop, window)
        yield _Finding("repetition", loop, has_evidence)


def _looping_words(words: Sequence[TimedWord]) -> range:
    start = loop_start([token for word in words for token in word.tokens])
    if start is None:
        return range(0)
    tokens_before = 0
    for index, word in enumerate(words):
        if tokens_before >= start:
            return range(index, len(words))
        tokens_before += len(word.tokens)
    return range(0)


def _credits(decoded: Decoded, window: Window) -> Iterator[_Finding]:
    spans = find_credits(decoded.text)
    if not spans:
        return
    is_everything = not _outside(decoded.text, spans).strip()
    is_doubtful = is_everything and _is_unlikely_window(decoded, window)
    if not decoded.words:
        yield _Finding("subtitle_credit", None, is_doubtful)
        return
    for span in spans:
        words = _words_within(decoded.words, span)
        has_evidence = is_doubtful or is_unlikely_speech(decoded.words, words, window)
        yield _Finding("subtitle_credit", words, has_evidence)


def _silences(decoded: Decoded, window: Window) -> Iterator[_Finding]:
    """Words far from all speech. A word that touches speech is not far, however long it lasts:
    an alignment gives the whole of a pause to one of its neighbours."""
    words = decoded.words or ()
    first = 0
    for index in range(len(words) + 1):
        if index < len(words) and is_far_from_speech(words[index], window):
            continue
        if index > first:
            run = range(first, index)
            is_doubtful = are_improbable(words[first:index], MIN_PROBABILITY_IN_SILENCE)
            yield _Finding("silence", run, is_doubtful)
        first = index + 1


def _is_unlikely_window(decoded: Decoded, window: Window) -> bool:
    """The model doubts that anybody spoke, or the words, or has heard too many of them."""
    if decoded.no_speech_prob > MAX_NO_SPEECH_PROB or decoded.avg_logprob < MIN_AVG_LOGPROB:
        return True
    return is_too_fast(decoded.text, 0.0, to_seconds(window.end - window.start), window)


def _words_within(words: Sequence[TimedWord], span: Span) -> range:
    """The words whose text lies in a span of characters."""
    found: list[int] = []
    at = 0
    for index, word in enumerate(words):
        first = at + len(word.text) - len(word.text.lstrip())
        at += len(word.text)
        if first < span[1] and at > span[0]:
            found.append(index)
    return range(found[0], found[-1] + 1)


def _outside(text: str, spans: Sequence[Span]) -> str:
    edges = [0, *chain.from_iterable(spans), len(text)]
    return "".join(text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))


def _first_word(finding: _Finding) -> int:
    return finding.words.start if finding.words else 0


def _characters_before(decoded: Decoded, finding: _Finding) -> int:
    words = (decoded.words or ())[: _first_word(finding)]
    return sum(len(word.text) for word in words)


def _describe(finding: _Finding, decoded: Decoded, window: Window) -> Dropped:
    """What is doubted, with its place in the recording."""
    origin, window_end = to_seconds(window.start), to_seconds(window.end)
    if finding.words is None or not decoded.words:
        return Dropped(finding.reason, origin, window_end, decoded.text)
    words = decoded.words[finding.words.start : finding.words.stop]
    start = min(window_end, round(origin + words[0].start, 3))
    end = min(window_end, round(origin + words[-1].end, 3))
    return Dropped(finding.reason, start, end, "".join(word.text for word in words))


def _without(decoded: Decoded, removed: range | None) -> Decoded:
    """What is left: text, words, tokens and how sure each was go together. None: nothing is."""
    words = decoded.words and tuple(
        word
        for index, word in enumerate(decoded.words)
        if removed is not None and index not in removed
    )
    text = "".join(word.text for word in words or ())
    return replace(
        decoded,
        text=text,
        tokens=tuple(chain.from_iterable(word.tokens for word in words or ())),
        logprobs=tuple(chain.from_iterable(word.logprobs for word in words or ())),
        words=words,
        compression_ratio=compression_ratio(text),
    )


_Report = TypeVar("_Report", Dropped, Warned)


def _by_time(reports: list[_Report]) -> tuple[_Report, ...]:
    return tuple(sorted(reports, key=lambda report: report.start))
