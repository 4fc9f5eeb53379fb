"""The exported model through transformers' generate(): text, language, no-speech, word times."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import median_filter
from torch import Tensor
from transformers import WhisperForConditionalGeneration, WhisperProcessor
from transformers.models.whisper.generation_whisper import _dynamic_time_warping

from recordings import Recording
from synthesis import SAMPLE_RATE
from tokenizer import SECONDS_PER_TIMESTAMP
from windows import Audio

_BATCH_WINDOWS = 8
_WINDOW_SECONDS = 29.5
_MEDIAN_FILTER_FRAMES = 7
_SAMPLES_PER_POSITION = 320


class Transcriber:
    """A model directory, ready to be asked."""

    def __init__(self, directory: Path) -> None:
        # The weights are stored in half precision; the processor computes in single.
        self._model = WhisperForConditionalGeneration.from_pretrained(
            directory, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        self._processor = WhisperProcessor.from_pretrained(directory)
        self._tokenizer = self._processor.tokenizer
        self._first_timestamp = self._model.generation_config.no_timestamps_token_id + 1
        self._end = self._model.generation_config.eos_token_id

    def transcribe(
        self, audios: Sequence[Audio], language: str, *, has_timestamps: bool
    ) -> list[list[int]]:
        """Greedy tokens of windows of at most 30 s, without those that only control the decoder."""
        written: list[list[int]] = []
        for first in range(0, len(audios), _BATCH_WINDOWS):
            features = self._features(audios[first : first + _BATCH_WINDOWS])
            rows = self._model.generate(
                features,
                attention_mask=torch.ones(features.shape[::2], dtype=torch.long),  # all 3000 frames
                language=language,
                task="transcribe",
                return_timestamps=has_timestamps,
                num_beams=1,
                do_sample=False,
            )
            for row in rows.tolist():
                written.append([t for t in row if t < self._end or t >= self._first_timestamp])
        return written

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens; timestamps are left out."""
        return self._tokenizer.decode([token for token in tokens if token < self._end]).strip()

    def timestamps(self, tokens: Sequence[int]) -> list[float]:
        """The timestamps among tokens, in seconds."""
        first = self._first_timestamp
        return [(token - first) * SECONDS_PER_TIMESTAMP for token in tokens if token >= first]

    @torch.no_grad()
    def detect(self, audio: Audio) -> tuple[str, float]:
        """(most probable language, P(no speech)), both read after the start token."""
        start = torch.tensor([[self._model.config.decoder_start_token_id]])
        logits = self._model(
            input_features=self._features([audio]), decoder_input_ids=start
        ).logits[0, -1]
        languages = self._model.generation_config.lang_to_id
        token = max(languages, key=lambda name: logits[languages[name]].item())
        no_speech = self._tokenizer.convert_tokens_to_ids("<|nospeech|>")
        return token.strip("<|>"), logits.softmax(-1)[no_speech].item()

    @torch.no_grad()
    def word_times(
        self, audio: Audio, language: str, tokens: Sequence[int]
    ) -> list[tuple[str, float]]:
        """(word, start in seconds) by dynamic time warping over the alignment heads' attention.

        OpenAI's rows: text is given after the start sequence, and the row that predicts a token,
        the one before it, says where that token is.
        """
        text = [token for token in tokens if token < self._end]
        begin = [f"<|{language}|>", "<|transcribe|>", "<|notimestamps|>"]
        prefix = [self._model.config.decoder_start_token_id]
        prefix += self._tokenizer.convert_tokens_to_ids(begin)
        attention = self._model(
            input_features=self._features([audio]),
            decoder_input_ids=torch.tensor([[*prefix, *text, self._end]]),
            output_attentions=True,
        ).cross_attentions
        heads = self._model.generation_config.alignment_heads
        weights = torch.stack([attention[layer][0, head] for layer, head in heads])
        cost = -_alignment_weights(weights, len(audio) // _SAMPLES_PER_POSITION)
        rows, columns = _dynamic_time_warping(cost[len(prefix) - 1 : -1])
        jumps = np.diff(rows, prepend=-1) > 0
        starts = columns[jumps] * SECONDS_PER_TIMESTAMP  # (text tokens + 1,)
        words: list[tuple[str, float]] = []
        for token, start in zip(text, starts, strict=False):
            piece = self._tokenizer.decode([token])
            if piece.startswith(" ") or not words:
                words.append((piece.strip(), float(start)))
            else:
                words[-1] = (words[-1][0] + piece, words[-1][1])
        return words

    def count_mistakes(self, recording: Recording) -> int:
        """Wrong, missing and additional words, with and without timestamps, over windows cut at
        sentence ends."""
        mistakes = 0
        for audio, reference in _cut(recording):
            for has_timestamps in (False, True):
                tokens = self.transcribe(
                    [audio], recording.language, has_timestamps=has_timestamps
                )[0]
                mistakes += word_errors(normalise(reference), normalise(self.text(tokens)))
        return mistakes

    def _features(self, audios: Sequence[Audio]) -> Tensor:
        """(batch, bins, 3000); shorter sound is followed by zeros."""
        return self._processor(
            audio=list(audios), sampling_rate=SAMPLE_RATE, return_tensors="pt"
        ).input_features


def normalise(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return re.sub(r"[^\w\s]", " ", text.lower()).split()


def word_errors(reference: Sequence[str], written: Sequence[str]) -> int:
    """The Levenshtein distance in words."""
    distances = list(range(len(written) + 1))
    for row, expected in enumerate(reference, 1):
        diagonal, distances[0] = distances[0], row
        for column, got in enumerate(written, 1):
            substitution = diagonal + (expected != got)
            diagonal = distances[column]
            distances[column] = min(diagonal + 1, distances[column - 1] + 1, substitution)
    return distances[-1]


def _alignment_weights(attention: Tensor, frames: int) -> np.ndarray:
    """(heads, tokens, positions) -> (tokens, frames), as openai-whisper's timing.py does it."""
    weights = attention[..., :frames]
    weights = weights / weights.sum(-1, keepdim=True)  # the softmax over these frames alone
    weights = (weights - weights.mean(-2, keepdim=True)) / weights.std(
        -2, keepdim=True, unbiased=False
    )
    filtered = median_filter(
        weights.double().numpy(), size=(1, 1, _MEDIAN_FILTER_FRAMES), mode="reflect"
    )
    return filtered.mean(0)


def _cut(recording: Recording) -> list[tuple[Audio, str]]:
    """Windows of whole sentences, at most 29.5 s long, with what is said in each."""
    windows: list[tuple[Audio, str]] = []
    start, texts = 0.0, list[str]()
    ends = [item.start for item in recording.sentences[1:]]
    ends.append(len(recording.audio) / SAMPLE_RATE)
    for item, end in zip(recording.sentences, ends, strict=True):
        if texts and end - start > _WINDOW_SECONDS:
            windows.append((_between(recording.audio, start, item.start - 0.1), " ".join(texts)))
            start, texts = item.start - 0.1, []
        texts.append(item.utterance.text)
    return [*windows, (_between(recording.audio, start, ends[-1]), " ".join(texts))]


def _between(audio: Audio, start: float, end: float) -> Audio:
    return audio[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
