"""What stands in the place of the plan's own, and what stays as planned."""

import numpy as np

from pipelines.config.plans import TrainingPlan
from pipelines.core import artifacts
from pipelines.plan import plan
from pipelines.training.plan_changes import NOTHING, Substitute
from tests.pipelines.records import manifest


def test_classes_and_settings_are_changed_and_the_rest_is_as_planned(write_params):
    write_params({"task": "digits"})
    plan()
    planned, told = TrainingPlan.read(artifacts.plan_of("training")), manifest()
    assert (NOTHING.planned(planned), NOTHING.described(told)) == (planned, told)
    training = planned.training.model_copy(update={"epochs": 1})
    other = Substitute(target=np.zeros(8), classes=["cat", "dog", "(fake)"], training=training)
    changed = other.planned(planned)
    assert (changed.training.epochs, changed.model, changed.seed) == (1, planned.model, planned.seed)
    assert other.described(told) == told.model_copy(update={"classes": ["cat", "dog", "(fake)"], "outputs": 3})
