"""Windows that share slots in any order say what transformers' generate() says of each alone."""

import dataclasses
import functools
import random

import pytest
import torch
from conftest import TINY_DA, load_network, read_wav, token_bytes_of
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

from whisper_worker.audio import SAMPLE_RATE, to_float
from whisper_worker.reference_decoding import ReferenceDecoder
from whisper_worker.slot_decoding import SlotDecoder
from whisper_worker.slots import Slots
from whisper_worker.speech_model import DecodeRow, Ended
from whisper_worker.vad import Region, Window

FRAME_SECONDS = 0.02
# Recording, first second, length in seconds.
WINDOWS = (
    *(("da", 0, 30), ("en", 0, 30), ("de", 0, 30)),
    *(("long", 3, 2), ("long", 11, 4.5), ("long", 20, 7), ("long", 31, 11)),
    *(("long", 2, 16.3), ("long", 24, 21), ("long", 40, 29)),
)
PROMPTS = ("", "Toget kører klokken otte.", "Jens har en rød bil. " * 4, "Peter i København. " * 60)
CASES = 30


def clip(name, first, seconds):
    samples = to_float(read_wav(name))
    return samples[int(first * SAMPLE_RATE) :][: int(seconds * SAMPLE_RATE)]


class Question:
    """One window and how it is to be decoded: everything but where its encoding is."""

    def __init__(self, number, model):
        draw = random.Random(number)
        self.window = WINDOWS[number % len(WINDOWS)]
        length = len(clip(*self.window))
        start = number * 30 * SAMPLE_RATE
        spoken = "da" if self.window[0] == "long" else self.window[0]
        has_timestamps = draw.random() < 0.35
        prompt = draw.choice(PROMPTS)
        # What the longest prompt makes the model invent was heard nowhere: its attention is zero
        # over seconds, and one place there is as good as another.
        has_words = not has_timestamps and prompt != PROMPTS[-1] and draw.random() < 0.8
        self.options = {
            "window": Window(number, start, start + length, (Region(start, start + length),)),
            "language": spoken if draw.random() < 0.7 else draw.choice(("da", "en", "de")),
            "task": "transcribe" if draw.random() < 0.8 else "translate",
            "prompt_tokens": model.prompt_tokens(prompt),
            "ladder": (draw.choice((0.0, 0.7)),),
            "word_timestamps": has_words,
            "timestamp_tokens": has_timestamps,
            "stops_loops": False,  # generate() does not stop them
        }

    def row(self, encoded):
        return DecodeRow(encoded=encoded, **self.options)


class Stage:
    """The bundled model, its encodings and the reference's answers, each computed once."""

    def __init__(self, model):
        self.model = model
        self.network = load_network()
        self.token_bytes = token_bytes_of(model)
        self.reference = ReferenceDecoder(model.network, model.facts, self.token_bytes)
        self.questions = [Question(number, model) for number in range(CASES)]

    @functools.cache  # noqa: B019 - one stage for the whole file
    def encoding(self, window):
        with torch.inference_mode():
            features = self.model._log_mel([clip(*window)])
            return self.network.model.encoder(features).last_hidden_state[0]

    @functools.cache  # noqa: B019
    def expected(self, number):
        question = self.questions[number]
        with torch.inference_mode():
            (decoded,) = self.reference.decode([question.row(self.encoding(question.window))])
        return decoded

    @functools.cache  # noqa: B019
    def decoder(self, slots, look_ahead):
        """Used again and again: what one example leaves behind must not disturb the next."""
        return SlotDecoder(
            Slots(self.network, self.model.facts, slots),
            self.model.facts,
            self.token_bytes,
            look_ahead,
        )


@pytest.fixture(scope="module")
def stage(tiny_da):
    return Stage(tiny_da)


@dataclasses.dataclass
class Visitor:
    """A window on its way: which question, how many steps until it knocks, and until it is given
    up (None: never)."""

    question: int
    knocks_after: int
    given_up_after: int | None


VISITORS = st.builds(
    Visitor,
    question=st.integers(0, CASES - 1),
    knocks_after=st.integers(0, 12),
    given_up_after=st.one_of(st.none(), st.none(), st.none(), st.integers(0, 25)),
)


def let_in(stage, decoder, visitors, *, hears_language):
    """All of them at once, as the loop does."""
    questions = [stage.questions[visitor.question] for visitor in visitors]
    places = decoder.take([stage.encoding(question.window) for question in questions])
    if hears_language:
        decoder.language_logits(places)
    decoder.start([q.row(place) for q, place in zip(questions, places, strict=True)])
    return places


@torch.inference_mode()
def decode_all(stage, decoder, visitors):
    """What each of the visitors was told; None when it was given up."""
    queue = list(enumerate(visitors))
    inside = {}  # place → visitor's number
    told = {}
    age = dict.fromkeys(range(len(visitors)), 0)
    for step in range(5000):
        ready = [entry for entry in queue if entry[1].knocks_after <= step]
        entering = ready[: decoder.free_slots]
        if entering:
            members = [visitor for _, visitor in entering]
            places = let_in(stage, decoder, members, hears_language=step % 2 == 0)
            inside.update(zip(places, (number for number, _ in entering), strict=True))
            queue = [entry for entry in queue if entry not in entering]
        for event in decoder.step():
            if isinstance(event, Ended) and event.encoded in inside:
                told[inside.pop(event.encoded)] = event.decoded
        for place, number in list(inside.items()):
            age[number] += 1
            if visitors[number].given_up_after == age[number]:
                decoder.release(place)
                told[inside.pop(place)] = None
        if not queue and not inside:
            return [told[number] for number in range(len(visitors))]
    raise AssertionError("the slots never came to an end")


def assert_equal(said, expected):
    assert said.tokens == expected.tokens
    assert said.text == expected.text
    assert said.temperature == expected.temperature
    assert said.avg_logprob == pytest.approx(expected.avg_logprob, abs=1e-4)
    assert said.logprobs == pytest.approx(expected.logprobs, abs=1e-4)
    assert said.no_speech_prob == pytest.approx(expected.no_speech_prob, abs=1e-4)
    assert said.compression_ratio == pytest.approx(expected.compression_ratio)
    assert (said.words is None) == (expected.words is None)
    for word, other in zip(said.words or (), expected.words or (), strict=True):
        assert (word.text, word.tokens) == (other.text, other.tokens)
        assert word.start == pytest.approx(other.start, abs=FRAME_SECONDS + 1e-6)
        assert word.end == pytest.approx(other.end, abs=FRAME_SECONDS + 1e-6)
        assert word.probability == pytest.approx(other.probability, abs=1e-3)
        assert word.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    slots=st.integers(1, 6),
    look_ahead=st.integers(0, 1),
    visitors=st.lists(VISITORS, min_size=1, max_size=5),
)
def test_whoever_enters_when_and_beside_whom_the_text_is_the_reference_s(
    stage, slots, look_ahead, visitors
):
    decoder = stage.decoder(slots, look_ahead)

    told = decode_all(stage, decoder, visitors)

    assert decoder.free_slots == slots
    for visitor, said in zip(visitors, told, strict=True):
        if said is not None:
            assert_equal(said, stage.expected(visitor.question))


def test_every_question_is_answered_as_the_reference_answers_it(stage):
    order = list(range(CASES))
    random.Random(1).shuffle(order)

    told = decode_all(stage, stage.decoder(6, 1), [Visitor(n, 0, None) for n in order])

    for number, said in zip(order, told, strict=True):
        assert_equal(said, stage.expected(number))


def test_the_questions_are_hard_enough(stage):
    """Otherwise the tests above would prove little."""
    answers = [stage.expected(number) for number in range(CASES)]
    options = [question.options for question in stage.questions]

    assert any(len(answer.tokens) > 90 for answer in answers)
    assert len({len(option["prompt_tokens"]) for option in options}) == len(PROMPTS)
    assert sum(option["timestamp_tokens"] for option in options) >= 8
    assert sum(option["word_timestamps"] for option in options) >= 8
    assert sum(option["ladder"] == (0.7,) for option in options) >= 8
    assert {option["language"] for option in options} == {"da", "en", "de"}


def test_sampling_says_something_else_than_the_surest_text_and_still_the_reference_s(stage):
    question = stage.questions[0]
    surest, hot = (
        dataclasses.replace(
            question.row(None), ladder=(t,), timestamp_tokens=False, word_timestamps=False
        )
        for t in (0.0, 10.0)  # the model is too sure of itself for less
    )
    encoding = stage.encoding(question.window)
    decoder = stage.decoder(2, 0)

    with torch.inference_mode():
        expected = stage.reference.decode([dataclasses.replace(hot, encoded=encoding)])[0]
        places = decoder.take([encoding, encoding])
        rows = zip((surest, hot), places, strict=True)
        decoder.start([dataclasses.replace(row, encoded=place) for row, place in rows])
        said = {}
        while len(said) < 2:
            said |= {e.encoded: e.decoded for e in decoder.step() if isinstance(e, Ended)}

    assert said[places[1]].tokens == expected.tokens
    assert said[places[0]].tokens != expected.tokens


@pytest.fixture(scope="module")
def whisper():
    """The same checkpoint as transformers users have it."""
    return WhisperForConditionalGeneration.from_pretrained(TINY_DA, dtype=torch.float32).eval()


def features(samples):
    extractor = WhisperFeatureExtractor(feature_size=128)
    return extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features


CLIPS = (("da", 0, 30), ("en", 0, 30), ("de", 0, 30), ("long", 40, 29))


@pytest.mark.filterwarnings("ignore:.*generation_config.*")
@pytest.mark.parametrize("with_timestamps", [False, True])
def test_whisper_s_own_generate_says_the_same_as_the_slots(stage, whisper, with_timestamps):
    languages = [name if name != "long" else "da" for name, _, _ in CLIPS]
    with torch.inference_mode():
        theirs = [
            generated(whisper, clip(*window), language, with_timestamps)
            for window, language in zip(CLIPS, languages, strict=True)
        ]

        decoder = stage.decoder(4, 0)
        places = decoder.take([stage.encoding(window) for window in CLIPS])
        decoder.start(
            [
                plain_row(place, window, language, with_timestamps)
                for place, window, language in zip(places, CLIPS, languages, strict=True)
            ]
        )
        said = {}
        while len(said) < len(CLIPS):
            said |= {e.encoded: e.decoded for e in decoder.step() if isinstance(e, Ended)}

    assert [list(said[place].tokens) for place in places] == theirs
    assert max(map(len, theirs)) > 80
    timestamp_begin = stage.model.facts.vocabulary.no_timestamps + 1
    assert all(any(t >= timestamp_begin for t in text) == with_timestamps for text in theirs)


def generated(whisper, samples, language, with_timestamps):
    """What `WhisperForConditionalGeneration.generate` says, without its end."""
    settings_ = whisper.generation_config
    options = {"return_timestamps": True}
    if not with_timestamps:
        timestamps = range(settings_.no_timestamps_token_id + 1, whisper.config.vocab_size)
        options = {"suppress_tokens": [*settings_.suppress_tokens, *timestamps]}
    tokens = whisper.generate(
        features(samples), language=language, task="transcribe", num_beams=1, **options
    )
    return [token for token in tokens[0].tolist() if token != settings_.eos_token_id]


def plain_row(place, window, language, with_timestamps):
    length = len(clip(*window))
    return DecodeRow(
        encoded=place,
        window=Window(0, 0, length, (Region(0, length),)),
        language=language,
        task="transcribe",
        prompt_tokens=(),
        ladder=(0.0,),
        word_timestamps=False,
        timestamp_tokens=with_timestamps,
        stops_loops=False,
    )
