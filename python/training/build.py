"""One command from nothing to the bundled model: speech, training, evaluation, test clips.

    python python/training/build.py

Needs espeak-ng's library, ffmpeg and about an hour and a half of two cores. Stopped, it goes on
where it was.
"""

import argparse
from pathlib import Path

from transformers import WhisperTokenizer

from bank import load_training_bank
from clips import make_clips
from evaluate import evaluate
from model import export
from table import write_table
from tokenizer import build_tokenizer
from train import TrainingPlan, load_checkpoint, train

SEED = 20_261_120
STEPS = 12_500
_REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> None:
    """Every stage in turn; or one of them, as the flags say."""
    arguments = _parse_arguments()
    plan = TrainingPlan(arguments.steps, SEED, arguments.work_dir)
    tokenizer = build_tokenizer(SEED)
    if arguments.export_checkpoint:
        export(load_checkpoint(tokenizer, plan), tokenizer, arguments.model_dir)
        return
    if arguments.clips_only:
        make_clips(arguments.clips_dir, arguments.model_dir, SEED)
        return
    _train(tokenizer, plan, arguments.model_dir)
    print(write_table(evaluate(arguments.model_dir), arguments.model_dir))
    make_clips(arguments.clips_dir, arguments.model_dir, SEED)


def _train(tokenizer: WhisperTokenizer, plan: TrainingPlan, model_directory: Path) -> None:
    """In a function of its own, so that the speech is forgotten before the evaluation."""
    bank = load_training_bank(plan.work_directory, SEED)
    export(train(bank, tokenizer, plan), tokenizer, model_directory)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work-dir", type=Path, default=_REPOSITORY / "build" / "tiny-da")
    parser.add_argument("--model-dir", type=Path, default=_REPOSITORY / "models" / "tiny-da")
    parser.add_argument("--clips-dir", type=Path, default=_REPOSITORY / "test" / "audio")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--export-checkpoint", action="store_true", help="export a run midway")
    parser.add_argument("--clips-only", action="store_true", help="make test/audio, train nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
