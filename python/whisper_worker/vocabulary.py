"""The special tokens of one checkpoint, and the prefix that tells its decoder what to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from whisper_worker.protocol import Task


@dataclass(frozen=True)
class Vocabulary:
    """Ids of the tokens that steer Whisper. English-only models have no languages and no tasks."""

    size: int
    end_of_text: int
    start_of_transcript: int
    start_of_previous: int
    no_speech: int
    no_timestamps: int
    languages: Mapping[str, int]  # ISO code → id
    tasks: Mapping[str, int]

    @property
    def is_multilingual(self) -> bool:
        return bool(self.languages)

    @property
    def language_codes(self) -> tuple[str, ...]:
        return tuple(self.languages) or ("en",)

    @property
    def specials(self) -> range:
        """Every id that is not text and does not end it: all those above end-of-text."""
        return range(self.end_of_text + 1, self.size)


def decoder_prefix(
    vocabulary: Vocabulary,
    language: str,
    task: Task,
    prompt_tokens: tuple[int, ...],
    *,
    timestamp_tokens: bool = False,
) -> tuple[int, ...]:
    """<|startofprev|> prompt <|startoftranscript|> <|da|> <|transcribe|> <|notimestamps|>

    The worker asks for no timestamp tokens: fine-tunes trained without them loop when forced to
    use them, and segment times come from the speech detector and the alignment.
    """
    prompt = (vocabulary.start_of_previous, *prompt_tokens) if prompt_tokens else ()
    steering: tuple[int, ...] = ()
    if vocabulary.is_multilingual:
        steering = (vocabulary.languages[language], vocabulary.tasks[task])
    mode = () if timestamp_tokens else (vocabulary.no_timestamps,)
    return (*prompt, vocabulary.start_of_transcript, *steering, *mode)
