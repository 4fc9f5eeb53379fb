"""bench/first_hour: what becomes of a measurement, what is run again, and what the report says."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY))

from bench.first_hour import attention, matrices
from bench.first_hour.__main__ import Hour
from bench.first_hour.plan import Step, Wishes, steps_of
from bench.first_hour.real_server import start_errors
from bench.first_hour.report import QUESTIONS, questions, shell_line, slug, to_markdown
from bench.first_hour.running import (
    FAILED,
    LEFT_OUT,
    NO_GPU,
    NOT_THERE,
    OK,
    Record,
    obstacle,
    run,
    summarise_sensors,
)

PLAN = steps_of(Wishes("cuda", "syvai/hviske-v2", "RyeAI/edda-v0.2-large", None, False))
SOME = Step("some", "Some step", 1, (sys.executable, "-c", "print('said')"), needs_gpu=False)


def saying(program):
    return replace(SOME, command=(sys.executable, "-c", program))


def test_a_step_that_ends_well_is_kept_with_what_it_said_and_its_figures(tmp_path):
    record = run(
        saying(
            "import json, os, pathlib; print('one'); print('two');"
            "pathlib.Path(os.environ['FIRST_HOUR_FIGURES']).write_text(json.dumps({'ms': 3}))"
        ),
        tmp_path,
        "abc",
    )

    assert (record.status, record.reason, record.commit) == (OK, "", "abc")
    assert record.lines == ("one", "two")
    assert record.figures == {"ms": 3}


def test_a_step_that_fails_is_kept_with_its_last_lines(tmp_path):
    record = run(
        saying("for n in range(99): print(n)\nraise SystemExit('no such card')"), tmp_path, ""
    )

    assert (record.status, record.reason) == (FAILED, "exit code 1")
    assert record.lines[-1] == "no such card"
    assert len(record.lines) == 25


def test_figures_of_an_earlier_run_are_not_taken_for_this_one(tmp_path):
    (tmp_path / "some.figures.json").write_text("{}")

    assert run(SOME, tmp_path, "").figures is None


def test_a_command_that_cannot_be_started_is_a_failure_like_any_other(tmp_path):
    record = run(replace(SOME, command=("/no/such/program",)), tmp_path, "")

    assert record.status == FAILED
    assert "No such file" in record.reason


def test_a_step_that_never_ends_is_ended_with_all_that_it_started(tmp_path, monkeypatch):
    monkeypatch.setattr(Step, "limit_seconds", 0.5)
    endless = "sleep 1000 & echo $! > child; wait"
    command = ("sh", "-c", f"cd '{tmp_path}'; {endless}")

    record = run(replace(SOME, command=command), tmp_path, "")

    assert (record.status, record.reason) == (FAILED, "it ran longer than 0 s")
    assert _has_ended(int((tmp_path / "child").read_text()))


def _has_ended(pid):
    """Gone, or dead and not yet fetched by whoever inherited it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize(
    ("changes", "has_gpu", "is_quick", "status"),
    [
        ({}, False, False, None),
        ({"needs_gpu": True}, False, False, NO_GPU),
        ({"needs_gpu": True}, False, True, NO_GPU),
        ({"needs_gpu": True}, True, False, None),
        ({}, True, True, LEFT_OUT),
        ({"is_in_quick": True}, True, True, None),
        ({"programs": ("no-such-program",)}, True, False, NOT_THERE),
        ({"programs": ("sh",)}, True, False, None),
    ],
)
def test_what_cannot_be_run_here_is_told_instead(changes, has_gpu, is_quick, status):
    record = obstacle(replace(SOME, **changes), has_gpu=has_gpu, is_quick=is_quick)

    assert (record and record.status) == status


@pytest.mark.parametrize(
    ("record", "is_done"),
    [
        (Record("some", OK, command=SOME.command, commit="one"), True),
        (Record("some", FAILED, command=SOME.command, commit="one"), False),
        (Record("some", NO_GPU), False),
        (Record("some", OK, command=SOME.command, commit="another"), False),
        (Record("some", OK, command=("other", "command"), commit="one"), False),
    ],
)
def test_only_what_went_well_by_the_same_command_and_commit_is_not_done_again(
    tmp_path, record, is_done
):
    _hour(tmp_path).keep(record)

    assert _hour(tmp_path).is_done(SOME) is is_done
    assert not _hour(tmp_path, is_fresh=True).is_done(SOME)


def test_a_state_of_another_version_is_no_obstacle(tmp_path):
    (tmp_path / "state.json").write_text('{"began": "2026-01-01", "records": [{"name": "some"}]}')

    assert not _hour(tmp_path).is_done(SOME)


def test_a_report_keeps_the_day_on_which_it_was_begun(tmp_path):
    first = _hour(tmp_path)
    first._began = "2026-11-20"
    first.keep(Record("some", OK, command=SOME.command, commit="one"))

    written = _hour(tmp_path).write(argparse.Namespace(quick=False))

    assert written.name == "first-hour-nvidia-gb10-2026-11-20.md"
    assert written.with_suffix(".json").is_file()


def _hour(directory, is_fresh=False):
    return Hour(directory, directory, "NVIDIA GB10", [SOME], "one", is_fresh=is_fresh)


def test_what_a_step_prints_cannot_break_the_report():
    record = Record("some", FAILED, reason="a | b", lines=("```", "| x |"), command=SOME.command)

    text = to_markdown({"card": "NVIDIA GB10"}, [SOME], [record])

    assert "| some | failed: a \\| b |" in text
    assert "last lines:\n\n````\n```\n| x |\n````" in text


def test_a_step_without_a_record_has_not_been_run_yet():
    assert "| some | not run yet |" in to_markdown({"card": ""}, [SOME], [])


def test_every_open_question_is_settled_by_some_step_and_stands_in_the_notes():
    assert {number for step in PLAN for number in step.settles} == set(QUESTIONS)
    assert questions(PLAN) in (REPOSITORY / "CUDA_NOTES.md").read_text("utf-8")


def test_steps_have_names_of_their_own():
    assert len({step.name for step in PLAN}) == len(PLAN)


def test_readings_that_a_card_does_not_give_do_not_count():
    """nvidia-smi on a GB10: no utilisation while idle, no memory."""
    found = summarise_sensors("12.5, 46, 208, [N/A]\n80.0, 61, 2400, 97\n[N/A], 50, 300, [N/A]\n")

    assert found["power.draw"] == {"least": 12.5, "median": 46.25, "most": 80.0}
    assert found["temperature.gpu"]["median"] == 50
    assert found["utilization.gpu"] == {"least": 97, "median": 97, "most": 97}
    assert summarise_sensors("") == {}


def test_starts_are_compared_of_words_that_both_have():
    truth = [{"word": word, "start": at} for at, word in enumerate(("En", "fem", "tre", "to"))]
    said = [
        {"word": "en,", "start": 0.25},
        {"word": "tre", "start": 2.5},
        {"word": "To.", "start": 3.0},
    ]

    assert start_errors(truth, said) == [0.25, 0.5, 0.0]


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("/a/.venv/bin/python", "-m", "x"), ".venv/bin/python -m x"),
        (("/a/node_modules/.bin/node", "a.ts"), "node a.ts"),
        (("sh", "-c", "a; b"), "sh -c 'a; b'"),
    ],
)
def test_a_command_is_shown_as_it_may_be_typed(command, line):
    assert shell_line(command) == line


def test_attention_is_measured_and_compared_kernel_by_kernel():
    """On the CPU, which has the plain kernel and lacks others: both ways are gone."""
    found = {one["kernel"]: one for one in attention.measure("cpu", (1,), 1)}

    assert found["MATH"]["bandwidth"] > 0
    assert found["MATH"]["error"] < 0.05
    assert isinstance(found["CUDNN_ATTENTION"]["bandwidth"], str)


def test_matrices_are_measured_for_each_number_of_rows():
    found = matrices.measure("cpu", ((256, 256, 4),), (1, 2))

    assert [one["rows"] for one in found] == [1, 2]
    assert all(one["gb_per_s"] > 0 for one in found)


def test_a_cards_name_makes_a_files_name():
    assert slug("NVIDIA GB10 (sm_121)") == "nvidia-gb10-sm-121"
