"""Decoding slots on the device: every window that is being decoded is a row of one step.

The device half of continuous batching over transformers' unmodified decoder. It knows rows,
tokens and positions; what a row means, when it has ended and what follows is slot_decoding.py's.
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import WhisperForConditionalGeneration

from whisper_worker.compiling import compiled
from whisper_worker.cross_attention import MANY_KEYS
from whisper_worker.recorded_queries import RecordedQueries
from whisper_worker.repair import GenerationFacts
from whisper_worker.sampling import gumbel_noise
from whisper_worker.slot_cache import Aim, SlotCache
from whisper_worker.step_graphs import Step, StepGraphs, round_up_rows
from whisper_worker.timestamp_rules import TimestampRules

# A step reads the past up to a multiple of this: a shape for every length would cost a graph each.
PAST_BUCKET = 64
# OpenAI's decoding.py: the first timestamp is at most one second into the window.
MAX_INITIAL_TIMESTAMP = 50


@dataclass(frozen=True)
class RowStart:
    """How one row begins."""

    prefix: tuple[int, ...]
    start_of_transcript: int  # where in the prefix <|startoftranscript|> stands
    temperature: float
    seed: int
    timestamp_tokens: bool


@dataclass(frozen=True)
class FirstToken:
    token: int
    logprob: float
    no_speech_prob: float


class Slots:
    """`count` slots. Rows of a pass are always neighbours: slots `first` to `first + n`."""

    def __init__(
        self,
        network: WhisperForConditionalGeneration,
        facts: GenerationFacts,
        count: int,
        *,
        has_graphs: bool = True,
        compiles: bool = False,
        cross_dtype: torch.dtype | None = None,
    ) -> None:
        self.count = count
        self._network = network
        self._compiles = compiles
        # Steps are compiled, beginnings are not: those come once a text, in many more shapes.
        self._decoder_of_steps = (
            compiled(network.model.decoder) if compiles else network.model.decoder
        )
        self._vocabulary = facts.vocabulary
        self._heads = facts.alignment_heads
        device = network.device
        # Most of what a step reads; an 8-bit network may keep it in half of its own type.
        self._cache = SlotCache(network, count, cross_dtype or network.dtype)
        self._queries = RecordedQueries(network, facts.alignment_heads, count)
        config = network.config
        self.positions_available = config.max_target_positions
        self._arange = torch.arange(config.max_target_positions, device=device)
        # Cross-attention is switched on by this argument and then reads the cache instead.
        self._encoder_stand_in = torch.zeros(
            count, 1, config.d_model, dtype=network.dtype, device=device
        )
        self._tokens = torch.zeros(count, dtype=torch.long, device=device)
        self._positions = torch.zeros(count, dtype=torch.long, device=device)
        self._temperatures = torch.zeros(count, device=device)
        self._seeds = torch.zeros(count, dtype=torch.long, device=device)
        self._rules = TimestampRules(
            slots=count,
            vocabulary_size=config.vocab_size,
            timestamp_begin=self._vocabulary.no_timestamps + 1,
            no_timestamps=self._vocabulary.no_timestamps,
            end_of_text=self._vocabulary.end_of_text,
            max_initial_index=MAX_INITIAL_TIMESTAMP,
            device=device,
        )
        self._make_biases(facts)
        rules = self._rules
        self._row_state = (
            *(self._tokens, self._positions, self._temperatures, self._seeds, self._stamped),
            *(rules.enabled, rules.has_begun, rules.last_timestamp),
            *(rules.last_is_timestamp, rules.penultimate_is_timestamp),
        )
        self._graphs: StepGraphs | None = None
        if device.type == "cuda" and has_graphs:
            self._graphs = StepGraphs(self._step, count)
        self._advance: Step = self._graphs or self._step

    def _make_biases(self, facts: GenerationFacts) -> None:
        """What may not be said, as numbers that are added to the logits: (2, vocabulary).

        Row 0 without timestamp tokens, row 1 with them.
        """
        size, device = self._network.config.vocab_size, self._network.device
        self._bias = torch.zeros(2, size, device=device)
        suppressed = torch.tensor(facts.suppressed, device=device, dtype=torch.long)
        self._bias[:, suppressed] = -torch.inf
        self._bias[1, self._vocabulary.no_timestamps + 1 :] = 0.0
        self._begin_bias = torch.zeros(size, device=device)
        begin = torch.tensor(facts.begin_suppressed, device=device, dtype=torch.long)
        self._begin_bias[begin] = -torch.inf
        self._stamped = torch.zeros(self.count, dtype=torch.long, device=device)

    def filling(self, slot: int, encoder_output: torch.Tensor) -> Iterator[None]:
        """The encoder output of one window, (1500, model width), takes a slot, piece by piece."""
        return self._cache.filling(slot, encoder_output)

    def fill(self, slot: int, encoder_output: torch.Tensor) -> None:
        """The same at once."""
        for _ in self.filling(slot, encoder_output):
            pass

    def first_logits(self, first: int, count: int) -> torch.Tensor:
        """After <|startoftranscript|> alone: (count, vocabulary). Leaves nothing behind."""
        start = torch.full((count, 1), self._vocabulary.start_of_transcript)
        hidden = self._run(first, start.to(self._network.device), self._arange[:1].expand(count, 1))
        return self._network.proj_out(hidden[:, 0]).float()

    def begin(self, first: int, starts: Sequence[RowStart]) -> list[FirstToken]:
        """Read the prefixes of neighbouring rows and choose the first token of each.

        Prefixes of different lengths go together: the shorter ones are filled up behind, where a
        causal decoder does not look, and what that leaves in the cache is overwritten before it
        is read.
        """
        device = self._network.device
        rows = slice(first, first + len(starts))
        longest = max(len(start.prefix) for start in starts)
        end = self._vocabulary.end_of_text
        ids = [[*start.prefix, *[end] * (longest - len(start.prefix))] for start in starts]
        lengths = torch.tensor([len(start.prefix) for start in starts], device=device)
        heard = torch.tensor([start.start_of_transcript for start in starts], device=device)
        self._positions[rows] = lengths
        self._temperatures[rows] = torch.tensor([s.temperature for s in starts], device=device)
        self._seeds[rows] = torch.tensor([s.seed for s in starts], device=device)
        stamped = torch.tensor([s.timestamp_tokens for s in starts], device=device)
        self._stamped[rows] = stamped.long()
        self._rules.reset(rows, is_enabled=stamped)

        positions = self._arange[:longest].expand(len(starts), longest)
        hidden = self._run(first, torch.tensor(ids, device=device), positions)
        each = torch.arange(len(starts), device=device)
        logits = self._network.proj_out(hidden[each, lengths - 1]).float()
        no_speech = self._network.proj_out(hidden[each, heard]).float().softmax(-1)
        is_hot = any(start.temperature > 0 for start in starts)
        is_stamped = any(start.timestamp_tokens for start in starts)
        tokens, logprobs = self._choose(
            logits + self._begin_bias, rows, is_hot=is_hot, is_stamped=is_stamped
        )
        heard_nobody = no_speech[:, self._vocabulary.no_speech]
        together = torch.stack([tokens.float(), logprobs, heard_nobody])  # one wait, not three
        return [
            FirstToken(int(token), logprob, probability)
            for token, logprob, probability in together.T.tolist()
        ]

    def step(self, count: int, past: int, *, is_hot: bool, is_stamped: bool) -> torch.Tensor:
        """One more token for slots 0 to `count`: (2, count), tokens and their log-probabilities.

        `past` is how many positions the farthest row has behind it, this step's included. Returns
        before the device is done; on CUDA the next step may overwrite the result.
        """
        past = min(-(-past // PAST_BUCKET) * PAST_BUCKET, self.positions_available)
        return self._advance(count, past, is_hot=is_hot, is_stamped=is_stamped)

    def rehearse(self) -> str | None:
        """Compile the steps, and on CUDA capture the common sizes, before anybody waits for them.
        Only while no row is in use.

        Answers what cannot be captured, and why; None when all can.
        """
        if self._compiles:
            # One row, some, all; two lengths, after which length is a variable; the whole past.
            for count in sorted({1, min(2, self.count), self.count}):
                for past in (PAST_BUCKET, 2 * PAST_BUCKET, MANY_KEYS, self.positions_available):
                    self._step(count, past, is_hot=False, is_stamped=False)
        if self._graphs is None:
            return None
        sizes = {round_up_rows(count, self.count) for count in range(1, self.count + 1)}
        for count in sorted(sizes):
            for past in (PAST_BUCKET, 2 * PAST_BUCKET):
                for _ in range(3):
                    self.step(count, past, is_hot=False, is_stamped=False)
        return self._graphs.problem

    def rows_computed(self, count: int) -> int:
        """How many rows a step really computes for `count` rows."""
        return count if self._graphs is None else round_up_rows(count, self.count)

    def _step(self, count: int, past: int, *, is_hot: bool, is_stamped: bool) -> torch.Tensor:
        """No Python over rows and no wait for the device: this is what a graph records."""
        rows = slice(0, count)
        positions = self._positions[rows, None]
        mask = (self._arange[None, :past] <= positions)[:, None, None]  # (rows, 1, 1, past)
        hidden = self._run(0, self._tokens[rows, None], positions, mask)
        logits = self._network.proj_out(hidden[:, -1]).float()
        # A row that is empty goes on like the others, in memory that is its own.
        self._positions[rows] = (self._positions[rows] + 1).clamp(max=self.positions_available - 1)
        tokens, logprobs = self._choose(logits, rows, is_hot=is_hot, is_stamped=is_stamped)
        # Token ids are exact in float32 up to 2²⁴.
        return torch.stack([tokens.float(), logprobs])

    def _choose(
        self, logits: torch.Tensor, rows: slice, *, is_hot: bool, is_stamped: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (rows, vocabulary) → the chosen tokens and their log-probabilities.

        Log-probabilities are over what was allowed and at temperature 1, as OpenAI counts them.
        """
        if is_stamped:
            logits = logits + self._bias[self._stamped[rows]]
            logits = self._rules.apply(logits, rows)
        else:
            logits = logits + self._bias[0]
        scores = logits
        if is_hot:
            temperatures = self._temperatures[rows, None]
            noise = gumbel_noise(self._seeds[rows], self._positions[rows], logits.shape[1])
            hot = logits / temperatures.clamp(min=1e-3) + noise
            scores = torch.where(temperatures > 0, hot, logits)
        tokens = scores.argmax(-1)
        logprobs = logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(-1)
        self._tokens[rows] = tokens
        if is_stamped:
            self._rules.observe(tokens, rows)
        return tokens, logprobs

    def _run(
        self,
        first: int,
        ids: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """One pass of the decoder: ids and positions (rows, tokens) → (rows, tokens, width).

        Without a mask it is a beginning: the tokens see each other, causally, and no past.
        """
        count, tokens = ids.shape
        past, decoder = 0, self._network.model.decoder
        if mask is None:
            mask = torch.ones(tokens, tokens, dtype=torch.bool, device=ids.device).tril()[
                None, None
            ]
        else:
            past, decoder = mask.shape[-1], self._decoder_of_steps
        aim = Aim(first, count, positions, past)
        self._cache.aim(aim)
        self._queries.aim = aim
        try:
            return decoder(
                input_ids=ids,
                attention_mask=mask,
                encoder_hidden_states=self._encoder_stand_in[:count],
                past_key_values=self._cache,
                position_ids=positions,
                use_cache=True,
            ).last_hidden_state
        finally:
            self._queries.aim = None

    def move(self, source: int, target: int, length: int) -> None:
        """A row with `length` positions behind it goes to another slot."""
        self._cache.move(source, target, length)
        self._queries.move(source, target, length)
        for state in self._row_state:
            state[target] = state[source]

    def queries(self, slot: int, length: int) -> torch.Tensor:
        """A copy of the alignment heads' queries so far: (heads, length, head width)."""
        return self._queries.copy(slot, length)

    def attention(self, slot: int, queries: torch.Tensor, frames: int) -> torch.Tensor:
        """What those queries listened to: (heads, positions, audio frames), each row sums to 1."""
        keys = torch.stack(
            [self._cache.cross_keys(layer, head, slot, frames) for layer, head in self._heads]
        )
        scaled = queries.float() * self._queries.scaling
        return (scaled @ keys.float().transpose(1, 2)).softmax(-1)
