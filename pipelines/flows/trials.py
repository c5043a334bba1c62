"""Prefect flow of a study's trials, and its task for one trial."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from pipelines.core.errors import Stopped, UserError
from pipelines.core.signals import STOP, handle_signals
from pipelines.flows.prefect_server import server
from pipelines.flows.retry import worth_a_retry


@task(
    retries=2,
    retry_delay_seconds=1,
    retry_condition_fn=worth_a_retry,
    task_run_name="{name}, seed {seed}",
    cache_policy=NO_CACHE,
)
def run_trial(seed: int, name: str, work: Callable[[int, str], None]) -> State[None] | None:
    """Run one trial of a study in this process; a retry resumes from its checkpoint."""
    try:
        work(seed, name)
    except UserError as error:
        return Failed(message=str(error))
    except Stopped:
        return Cancelled(message="stopped")
    except Exception:
        traceback.print_exc()
        raise
    return None


@flow(name="study", validate_parameters=False)
def study(trials: list[tuple[int, str]], work: Callable[[int, str], None], failed: dict[tuple[int, str], str]) -> State[None]:
    """Run all trials of a study, also after a failure; add failures to ``failed``."""
    # Prefect has replaced our handler of SIGTERM.
    handle_signals()
    for seed, name in trials:
        state = run_trial(seed, name, work, return_state=True)
        if STOP.is_set():
            return Cancelled(message="stopped")
        if not state.is_completed():
            failed[seed, name] = str(state.message).removeprefix("Task run encountered an exception ")
    return Failed(message=f"{len(failed)} of {len(trials)} trials failed") if failed else Completed()


def run_study(trials: list[tuple[int, str]], work: Callable[[int, str], None]) -> dict[tuple[int, str], str]:
    """Run trials, given by seed and name, and return the reasons of those that failed.

    Raises:
        Stopped: after SIGINT or SIGTERM.
    """
    with trial_flows("study") as run:
        return run(trials, work)


@contextmanager
def trial_flows(
    name: str,
) -> Iterator[Callable[[list[tuple[int, str]], Callable[[int, str], None]], dict[tuple[int, str], str]]]:
    """Yield a function like ``run_study`` whose flows are called ``name`` and share one server."""
    named = study.with_options(name=name)

    def run(trials: list[tuple[int, str]], work: Callable[[int, str], None]) -> dict[tuple[int, str], str]:
        failed: dict[tuple[int, str], str] = {}
        named(trials, work, failed, return_state=True)
        if STOP.is_set():
            raise Stopped
        return failed

    with server():
        yield run
