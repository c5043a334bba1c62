"""Training settings: types and bounds, and pairs that do not go together, are refused by name."""

import pytest

TASK, LORA = "tasks.movie-reviews", "tasks.movie-reviews-lora"
FLIP = [{"flip": {}}]
BAD = {
    "unknown key": (
        {f"{TASK}.training.epoch": 3},
        r"tasks.movie-reviews.training: 'epoch': no such key, did you mean 'epochs'\?",
    ),
    "no device": ({"tasks.digits.training.devices": 0}, r"digits.*training.devices: .*greater than 0, got 0"),
    "keeping frozen layers on two devices": (
        {f"{TASK}.training.devices": 2, f"{TASK}.training.keep_frozen": True},
        r"movie-reviews.*training: .*keep_frozen: must be false with devices: 2, got true; leave out one of the two",
    ),
    "compiling on three devices": (
        {f"{TASK}.training.devices": 3, f"{TASK}.training.compile": True},
        r"movie-reviews.*training: .*compile: must be false with devices: 3, got true; leave out one of the two",
    ),
    **{
        f"recomputation beside {key}": (
            {f"{LORA}.training.checkpoint_activations": True, f"{LORA}.training.{key}": value},
            rf"movie-reviews-lora.*training: .*checkpoint_activations: must be false with {key}: {str(value).lower()}, got",
        )
        for key, value in (("compile", True), ("devices", 2))
    },
    "recomputation of states that are kept": (
        {f"{TASK}.training.checkpoint_activations": True, f"{TASK}.training.keep_frozen": True},
        r"movie-reviews.*training: .*checkpoint_activations: must be false with keep_frozen: true, got true",
    ),
    "recomputation of a small model": (
        {"tasks.digits.training.checkpoint_activations": True},
        r"digits: training.checkpoint_activations: is for models of family 'gpt' or .* got 'small'; the nearest .* is false",
    ),
    "no example a part": (
        {f"{TASK}.training.micro_batch": 0},
        r"training.micro_batch: must be greater than 0, got 0; the nearest that works is 1$",
    ),
    "wrong type": ({f"{TASK}.training.batch_size": "32"}, r"training.batch_size: .*valid integer, got '32'"),
    "true is no number": ({f"{TASK}.training.epochs": True}, r"training.epochs: .*valid integer, got True"),
    "epochs for ever": (
        {f"{TASK}.training.epochs": 10**12},
        r"training.epochs: .*; the nearest that works is 100000$",
    ),
    "no rate": ({f"{TASK}.training.optimizer.learning_rate": 0}, r"learning_rate: must be greater than 0, got 0$"),
    "no epochs": (
        {f"{TASK}.training.epochs": 0},
        r"training.epochs: must be .* to 1, got 0; the nearest that works is 1",
    ),
    "a rate without end": (
        {f"{TASK}.training.optimizer.learning_rate": float("inf")},
        r"optimizer.learning_rate: .*finite number, got inf",
    ),
    "momentum without sgd": ({f"{TASK}.training.optimizer.momentum": 0.9}, r"optimizer: momentum: 'adamw' has none, got 0.9"),
    "augmentation of texts": (
        {f"{TASK}.training.augment": FLIP},
        r"movie-reviews: training.augment: is for a task of kind 'image', and this one is of kind 'text'; leave it out",
    ),
    "augmentation of a table": (
        {"tasks.bike-sharing.training.augment": FLIP},
        r"bike-sharing: training.augment: is for a task of kind 'image', and this one is of kind 'table'; leave it out",
    ),
    "class weights of another name": (
        {f"{TASK}.training.class_weights": "balnced"},
        r"training.class_weights: 'balnced': no such class weights, did you mean 'balanced'\? .*; or a weight for each class",
    ),
    "class weights of no class": ({f"{TASK}.training.class_weights": {}}, r"class_weights: names no class; leave it out"),
    "a class of no weight": (
        {f"{TASK}.training.class_weights": {"positive": 0}},
        r"training.class_weights.positive: must be greater than 0, got 0",
    ),
    "class weights of numbers": (
        {"tasks.bike-sharing.training.class_weights": "balanced"},
        r"bike-sharing: training.class_weights: is for one class an example, and this task has predicts: number; leave it out",
    ),
    "smoothing of tokens": (
        {"tasks.brown.training.label_smoothing": 0.1},
        r"brown: training.label_smoothing: is for one class an example, and this task is of kind 'language'; leave it out",
    ),
    "more than all of the target": (
        {f"{TASK}.training.label_smoothing": 1.5},
        r"training.label_smoothing: must be less than or equal to 1, got 1.5; the nearest that works is 1",
    ),
    "augmentation of what is frozen": (
        {f"{TASK}.training.augment": FLIP, f"{TASK}.training.keep_frozen": True},
        r"movie-reviews.training: augment: must be left out with keep_frozen: true, .*; leave one of the two out$",
    ),
    "the best of no evaluations": (
        {f"{TASK}.training.keep": "best"},
        r"movie-reviews.training: keep: 'best' needs evaluations to choose by; set evaluate_every: 1, or the nearest, 'last'",
    ),
    "patience without evaluations": (
        {f"{TASK}.training.stop_after": 2},
        r"movie-reviews.training: stop_after: counts evaluations, and there are none, got 2; set evaluate_every: 1",
    ),
    "an evaluation after the end": (
        {f"{TASK}.validation": 0.1, f"{TASK}.training.evaluate_every": 9},
        r"movie-reviews.training: evaluate_every: must be at most the 5 of epochs, got 9; the nearest that works is 5",
    ),
    "an evaluation at every moment": (
        {f"{TASK}.training.evaluate_every": 0},
        r"training.evaluate_every: must be greater than 0, got 0; the nearest that works is 1$",
    ),
}


@pytest.mark.parametrize(("changes", "text"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_by_name_and_nothing_is_written(refused, changes, text):
    refused(changes, text)
