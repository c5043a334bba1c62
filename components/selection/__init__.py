"""Selection methods by name, one file each."""

from components.selection.admit.autoassist import AutoAssist
from components.selection.admit.multistage import Multistage
from components.selection.draw.balanced import Balanced
from components.selection.draw.clean import Clean
from components.selection.draw.importance import Importance
from components.selection.draw.infobatch import InfoBatch
from components.selection.draw.selection_via_proxy import SelectionViaProxy
from components.selection.draw.short import Short
from components.selection.draw.swiftlearn import SwiftLearn
from components.selection.draw.target import Target
from components.selection.draw.uniform import Uniform
from components.selection.keep.adaselection import AdaSelection
from components.selection.keep.loss_threshold import LossThreshold
from components.selection.keep.rho_loss import RhoLoss
from components.selection.keep.rule import ByRule
from components.selection.keep.selective_backprop import SelectiveBackprop
from components.selection.selector import Selector

METHODS: dict[str, type[Selector]] = {
    "full": Selector,
    "uniform": Uniform,
    "short": Short,
    "swiftlearn": SwiftLearn,
    "importance": Importance,
    "clean": Clean,
    "balanced": Balanced,
    "target": Target,
    "infobatch": InfoBatch,
    "rule": ByRule,
    "selective-backprop": SelectiveBackprop,
    "rho-loss": RhoLoss,
    "adaselection": AdaSelection,
    "loss-threshold": LossThreshold,
    "multistage": Multistage,
    "autoassist": AutoAssist,
    "selection-via-proxy": SelectionViaProxy,
}
