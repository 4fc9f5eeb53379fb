"""Measures an exported model on sentences and a voice setting never trained on.

    python python/training/evaluate.py [model directory]

Prints the table, writes it as evaluation.json into the model directory and into its README.md.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np

from bank import held_out_bank
from recordings import Recording, fill, record
from synthesis import SAMPLE_RATE, Utterance
from table import Measurement, write_table
from transcriber import Transcriber, normalise, word_errors
from windows import Audio

EVALUATION_SEED = 4
_CLIPS, _LONG_WINDOWS, _LANGUAGE_CLIPS = 100, 24, 40
_SHORT_PAUSES_SECONDS, _LONG_PAUSES_SECONDS = (0.1, 0.8), (0.15, 0.8)
_LONG_SECONDS = 28.0


def evaluate(directory: Path) -> list[Measurement]:
    """Every row of the table, measured on the weights in the directory."""
    transcriber = Transcriber(directory)
    bank = held_out_bank(EVALUATION_SEED)
    rng = random.Random(EVALUATION_SEED)
    clips = [_draw_clip(bank["da"], rng) for _ in range(_CLIPS)]
    windows = [_draw_window(bank["da"], rng) for _ in range(_LONG_WINDOWS)]
    others = {
        language: [_draw_clip(bank[language], rng) for _ in range(_LANGUAGE_CLIPS)]
        for language in ("en", "de")
    }
    languages = {"da": clips[:_LANGUAGE_CLIPS], **others}
    return [
        *_measure_words(transcriber, "Danish, clips of 1-2 sentences", clips, 3.0),
        *_measure_words(transcriber, "Danish, full 28 s windows", windows, 6.0),
        *_measure_words(transcriber, "English, clips", others["en"], None),
        *_measure_words(transcriber, "German, clips", others["de"], None),
        *_measure_detection(transcriber, languages),
        *_measure_silence(transcriber),
    ]


def _draw_clip(utterances: Sequence[Utterance], rng: random.Random) -> Recording:
    return record(rng.sample(utterances, rng.randint(1, 2)), _SHORT_PAUSES_SECONDS, rng)


def _draw_window(utterances: Sequence[Utterance], rng: random.Random) -> Recording:
    return fill(rng.sample(utterances, 30), _LONG_SECONDS, _LONG_PAUSES_SECONDS, rng)


def _measure_words(
    transcriber: Transcriber, what: str, recordings: Sequence[Recording], target: float | None
) -> Iterator[Measurement]:
    """Word error rates in both modes, the times of segments, the starts of words."""
    language = recordings[0].language
    audios = [recording.audio for recording in recordings]
    counted = f"{len(recordings)} recordings, {sum(len(r.words) for r in recordings)} words"
    plain = transcriber.transcribe(audios, language, has_timestamps=False)
    timed = transcriber.transcribe(audios, language, has_timestamps=True)
    for written, mode in ((plain, "without timestamps"), (timed, "with timestamps")):
        rate = round(100 * _word_error_rate(transcriber, recordings, written), 2)
        wanted = None if target is None else f"<= {target:g} %"
        met = None if target is None else rate <= target
        yield Measurement(f"{what}: WER {mode}", rate, "%", wanted, met, counted)
    if target is None:
        return
    yield from _measure_segment_times(transcriber, what, recordings, timed)
    yield from _measure_word_times(transcriber, what, recordings, plain)


def _word_error_rate(
    transcriber: Transcriber, recordings: Sequence[Recording], written: Sequence[Sequence[int]]
) -> float:
    errors = words = 0
    for recording, tokens in zip(recordings, written, strict=True):
        reference = normalise(recording.text)
        errors += word_errors(reference, normalise(transcriber.text(tokens)))
        words += len(reference)
    return errors / words


def _measure_segment_times(
    transcriber: Transcriber,
    what: str,
    recordings: Sequence[Recording],
    timed: Sequence[Sequence[int]],
) -> Iterator[Measurement]:
    errors: list[float] = []
    counted = 0
    for recording, tokens in zip(recordings, timed, strict=True):
        spoken = [time for item in recording.sentences for time in (item.start, item.end)]
        written = transcriber.timestamps(tokens)
        if len(spoken) == len(written):
            counted += 1
            errors += [abs(a - b) for a, b in zip(spoken, written, strict=True)]
    where = f"{counted} of {len(recordings)} recordings with the right number of timestamps"
    mean_ms = round(1000 * float(np.mean(errors)), 1) if errors else float("nan")
    yield Measurement(f"{what}: segment times, mean error", mean_ms, "ms", None, None, where)


def _measure_word_times(
    transcriber: Transcriber,
    what: str,
    recordings: Sequence[Recording],
    written: Sequence[Sequence[int]],
) -> Iterator[Measurement]:
    errors: list[float] = []
    for recording, tokens in zip(recordings, written, strict=True):
        times = transcriber.word_times(recording.audio, recording.language, tokens)
        spoken = [word for word, _, _ in recording.words]
        matcher = SequenceMatcher(None, spoken, [word for word, _ in times], autojunk=False)
        for block in matcher.get_matching_blocks():
            for index in range(block.size):
                start = recording.words[block.a + index][1]
                errors.append(abs(times[block.b + index][1] - start))
    counted = f"{len(errors)} words written as spoken"
    median_ms = round(1000 * float(np.median(errors)), 1)
    p90_ms = round(1000 * float(np.percentile(errors, 90)), 1)
    name = f"{what}: word starts"
    met = median_ms <= 80
    yield Measurement(f"{name}, median error", median_ms, "ms", "<= 80 ms", met, counted)
    yield Measurement(f"{name}, 90th percentile", p90_ms, "ms", None, None, counted)


def _measure_detection(
    transcriber: Transcriber, by_language: dict[str, Sequence[Recording]]
) -> Iterator[Measurement]:
    detected = [
        (language, *transcriber.detect(recording.audio))
        for language, recordings in by_language.items()
        for recording in recordings
    ]
    counted = f"{len(detected)} clips: {', '.join(by_language)}"
    right = sum(said == expected for expected, said, _ in detected)
    accuracy = round(100 * right / len(detected), 1)
    yield Measurement("language detected", accuracy, "%", ">= 97 %", accuracy >= 97, counted)
    highest = round(max(no_speech for _, _, no_speech in detected), 4)
    yield Measurement("highest P(no speech) of speech", highest, "", None, None, counted)


def _measure_silence(transcriber: Transcriber) -> Iterator[Measurement]:
    audios = _silences()
    counted = f"{len(audios)} recordings of silence, white noise or hum"
    lowest = round(min(transcriber.detect(audio)[1] for audio in audios), 4)
    yield Measurement("lowest P(no speech) of silence and noise", lowest, "", None, None, counted)
    empty = sum(
        transcriber.text(tokens) == ""
        for has_timestamps in (False, True)
        for tokens in transcriber.transcribe(audios, "da", has_timestamps=has_timestamps)
    )
    share = round(100 * empty / (2 * len(audios)), 1)
    yield Measurement(
        "empty text, decoding forced", share, "%", "100 %", share == 100, f"{counted}, both modes"
    )


def _silences() -> list[Audio]:
    """Digital silence, hiss from hardly audible to loud, and mains hum, of several lengths."""
    noise = np.random.default_rng(EVALUATION_SEED)
    silences: list[Audio] = []
    for seconds in (1, 4, 12, 29):
        hiss = noise.standard_normal((5, seconds * SAMPLE_RATE))
        hum = np.sin(2 * np.pi * 50 * np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE)
        levels = (0.0, 3e-5, 5e-4, 0.005, 0.05)
        silences += [level * row for level, row in zip(levels, hiss, strict=True)]
        silences += [0.003 * hum + 1e-4 * hiss[0], 0.03 * hum + 1e-3 * hiss[1]]
    return [np.clip(audio, -1, 1).astype(np.float32) for audio in silences]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[2] / "models" / "tiny-da"
    parser.add_argument("directory", type=Path, nargs="?", default=default)
    chosen: Path = parser.parse_args().directory
    print(write_table(evaluate(chosen), chosen))
