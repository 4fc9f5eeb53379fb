"""Makes test/audio: held-out sentences in the held-out voice, with their exact words and times.

A fixture has to be right, so of many candidates the first is taken that is written down word for
word, by transformers and by the worker with its own windows; the evaluation, not these clips, says
how good the model is.
"""

import json
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import soundfile

from bank import held_out_bank
from listener import Listener
from recordings import Recording, record
from synthesis import SAMPLE_RATE, Utterance
from transcriber import Transcriber
from windows import Audio

_CONTAINERS = {
    "da.mp3": ["-b:a", "48k"],
    "da.m4a": ["-c:a", "aac", "-b:a", "48k"],
    "da.webm": ["-c:a", "libopus", "-b:a", "32k"],
    "da.flac": [],
    "da.ogg": ["-c:a", "libvorbis"],
}
_TEST_PICTURE = ["-f", "lavfi", "-i", "testsrc=size=160x120:rate=5"]
_VIDEO = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "32"]
_CLIP_SECONDS = (4.0, 8.0)
_LONG_SECONDS, _LONG_PAUSES_SECONDS = 70.0, (0.4, 2.0)
_LONG_SENTENCES = 24
_CANDIDATES = 25

Judge = Callable[[Recording], int]  # how many words are wrong; 0 is right


def make_clips(directory: Path, model_directory: Path, seed: int) -> None:
    """Writes every file of test/audio; without a model, the first candidates are taken."""
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        judges: list[Judge] = []
        if model_directory.exists():
            listener = stack.enter_context(Listener(model_directory))
            judges = [Transcriber(model_directory).count_mistakes, listener.count_mistakes]
        bank = held_out_bank(seed)
        for language in ("da", "en", "de"):
            rng = random.Random(f"clips/{seed}/{language}")
            _write(directory / language, _choose(_short_candidates(bank[language], rng), judges))
        rng = random.Random(f"clips/{seed}/long")
        _write(directory / "long", _choose(_long_candidates(bank["da"], rng), judges))
    hiss = np.random.default_rng(seed).standard_normal(3 * SAMPLE_RATE) * 1e-4
    _write_wave(directory / "silence.wav", hiss.astype(np.float32))
    _write_containers(directory)


def _short_candidates(utterances: list[Utterance], rng: random.Random) -> Iterator[Recording]:
    while True:
        recording = record(rng.sample(utterances, 2), (0.3, 0.8), rng)
        if _CLIP_SECONDS[0] <= len(recording.audio) / SAMPLE_RATE <= _CLIP_SECONDS[1]:
            yield recording


def _long_candidates(utterances: list[Utterance], rng: random.Random) -> Iterator[Recording]:
    while True:
        recording = record(rng.sample(utterances, _LONG_SENTENCES), _LONG_PAUSES_SECONDS, rng)
        if abs(len(recording.audio) / SAMPLE_RATE - _LONG_SECONDS) < 2:
            yield recording


def _choose(candidates: Iterator[Recording], judges: list[Judge]) -> Recording:
    """The first candidate in which no judge finds a mistake; the first of all without judges."""
    for _, recording in zip(range(_CANDIDATES), candidates, strict=False):
        if all(judge(recording) == 0 for judge in judges):
            return recording
    raise RuntimeError(f"none of {_CANDIDATES} candidates is written down without a mistake")


def _write(path: Path, recording: Recording) -> None:
    """path.wav and path.json."""
    _write_wave(path.with_suffix(".wav"), recording.audio)
    described = {
        "text": recording.text,
        "language": recording.language,
        "duration": len(recording.audio) / SAMPLE_RATE,
        "segments": [
            {
                "start": round(item.start, 3),
                "end": round(item.end, 3),
                "text": item.utterance.text,
            }
            for item in recording.sentences
        ],
        "words": [
            {"word": word, "start": round(start, 3), "end": round(end, 3)}
            for word, start, end in recording.words
        ],
    }
    text = json.dumps(described, ensure_ascii=False, indent=2)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def _write_wave(path: Path, audio: Audio) -> None:
    soundfile.write(path, audio, SAMPLE_RATE, subtype="PCM_16")


def _write_containers(directory: Path) -> None:
    source = ["-i", str(directory / "da.wav")]
    for name, options in _CONTAINERS.items():
        _ffmpeg([*source, *options, str(directory / name)])
    # A length in so many words: -shortest lets the picture run on for as long as is buffered.
    length = ["-t", f"{soundfile.info(directory / 'da.wav').duration:.2f}"]
    with_sound = [*_TEST_PICTURE, *source, *length, *_VIDEO, "-c:a", "aac", "-b:a", "48k"]
    _ffmpeg([*with_sound, str(directory / "da.mp4")])
    _ffmpeg([*_TEST_PICTURE, "-t", "2", *_VIDEO, "-an", str(directory / "silent-video.mp4")])


def _ffmpeg(arguments: list[str]) -> None:
    program = shutil.which("ffmpeg")
    if program is None:
        raise FileNotFoundError("ffmpeg is needed to make the clips")
    # bitexact: no encoder version or date in the files, so that making them again changes nothing.
    quiet = [program, "-y", "-loglevel", "error", "-nostdin"]
    flags = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
    subprocess.run([*quiet, *arguments[:-1], *flags, arguments[-1]], check=True)
