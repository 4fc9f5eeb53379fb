"""What the decoder reads and should write for a window, and where in the sound each token lies."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from transformers import WhisperTokenizer

from tokenizer import SECONDS_PER_TIMESTAMP
from windows import Placed, Window

IGNORED = -100
_PROMPT_SHARE = 0.12
_TIMESTAMPS_SHARE = 0.5
_TIMESTAMP_HALF_WIDTH_SECONDS = 0.04
_END_SECONDS = 0.5  # how much of the silence after the last word belongs to its full stop
Span = tuple[float, float] | None


@dataclass
class Labels:
    """Decoder inputs, the target of each input, and the seconds in which each target is spoken."""

    inputs: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def write(self, token: int, span: Span = None) -> None:
        """The next token, predicted by the one before it."""
        if self.inputs:
            self.targets[-1], self.spans[-1] = token, span
        self.read(token)

    def read(self, token: int) -> None:
        """The next token, given to the decoder and not asked of it."""
        self.inputs.append(token)
        self.targets.append(IGNORED)
        self.spans.append(None)


class Labeller:
    """Turns windows into labels; knows the token ids and remembers how each word is written."""

    def __init__(self, tokenizer: WhisperTokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokens_by_word: dict[str, list[int]] = {}
        self._end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
        self._start = tokenizer.convert_tokens_to_ids("<|startoftranscript|>")
        self._previous = tokenizer.convert_tokens_to_ids("<|startofprev|>")
        self._transcribe = tokenizer.convert_tokens_to_ids("<|transcribe|>")
        self._no_speech = tokenizer.convert_tokens_to_ids("<|nospeech|>")
        self._no_timestamps = tokenizer.convert_tokens_to_ids("<|notimestamps|>")
        self.first_timestamp = tokenizer.convert_tokens_to_ids("<|0.00|>")

    def draw(
        self, window: Window, offset_seconds: float, previous: Sequence[str], rng: random.Random
    ) -> Labels:
        """Labels of a window that begins `offset_seconds` into the encoder's 30 s; now and then
        the sentences `previous` are given as the prompt."""
        labels = Labels()
        if rng.random() < _PROMPT_SHARE:
            labels.read(self._previous)
            for text in previous:
                for token in self._sentence_tokens(text):
                    labels.read(token)
        labels.read(self._start)
        if window.sentences:
            self._write_speech(labels, window, offset_seconds, rng)
        else:
            self._write_no_speech(labels, rng)
        return labels

    def _write_speech(
        self, labels: Labels, window: Window, offset_seconds: float, rng: random.Random
    ) -> None:
        labels.write(self._language(window.language))
        labels.write(self._transcribe)
        has_timestamps = rng.random() < _TIMESTAMPS_SHARE
        if not has_timestamps:
            labels.write(self._no_timestamps)
        following = [item.start for item in window.sentences[1:]]
        silences = [*following, window.sentences[-1].end + _END_SECONDS]
        for item, silence_end in zip(window.sentences, silences, strict=True):
            if has_timestamps:
                self._write_timestamp(labels, item.start, offset_seconds)
            self._write_sentence(labels, item, silence_end)
            if has_timestamps:
                self._write_timestamp(labels, item.end, offset_seconds)
        labels.write(self._end)

    def _write_no_speech(self, labels: Labels, rng: random.Random) -> None:
        """The start token says no speech; a decoder made to go on all the same writes nothing."""
        if rng.random() < 0.4:
            labels.write(self._no_speech)
        else:
            labels.read(self._language(rng.choice(("da", "da", "en", "de"))))
            labels.read(self._transcribe)
            if rng.random() < 0.5:
                labels.write(self._no_timestamps)
            else:
                labels.write(self.first_timestamp)
            start = labels.inputs.index(self._start)
            labels.targets[start] = self._no_speech
        labels.write(self._end)

    def _write_timestamp(self, labels: Labels, seconds: float, offset_seconds: float) -> None:
        index = round((seconds + offset_seconds) / SECONDS_PER_TIMESTAMP)
        around = (seconds - _TIMESTAMP_HALF_WIDTH_SECONDS, seconds + _TIMESTAMP_HALF_WIDTH_SECONDS)
        labels.write(self.first_timestamp + index, around)

    def _write_sentence(self, labels: Labels, item: Placed, silence_end: float) -> None:
        """Each word's tokens share its time evenly. The full stop has the silence that follows, so
        that no frame before the next word is left to chance when times are read off the attention.
        """
        spoken = item.utterance
        for word, start, end in zip(spoken.text.split(), spoken.starts, spoken.ends, strict=True):
            tokens = self._word_tokens(word.removesuffix("."))
            step = (end - start) / len(tokens)
            for index, token in enumerate(tokens):
                begin = item.start + start + index * step
                labels.write(token, (begin, begin + step))
        for token in self._word_tokens("."):
            labels.write(token, (item.end, max(silence_end, item.end + 0.06)))

    def _sentence_tokens(self, text: str) -> list[int]:
        words = text.removesuffix(".").split()
        return [token for word in words for token in self._word_tokens(word)] + self._word_tokens(
            "."
        )

    def _word_tokens(self, word: str) -> list[int]:
        if word not in self._tokens_by_word:
            text = word if word == "." else " " + word
            self._tokens_by_word[word] = self._tokenizer.encode(text, add_special_tokens=False)
        return self._tokens_by_word[word]

    def _language(self, code: str) -> int:
        return self._tokenizer.convert_tokens_to_ids(f"<|{code}|>")
