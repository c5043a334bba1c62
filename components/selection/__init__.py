"""Who may pass: one file a method, one line each here."""

from components.selection.adaselection import AdaSelection
from components.selection.autoassist import AutoAssist
from components.selection.balanced import Balanced
from components.selection.clean import Clean
from components.selection.importance import Importance
from components.selection.infobatch import InfoBatch
from components.selection.multistage import Multistage
from components.selection.rho_loss import RhoLoss
from components.selection.rule import ByRule
from components.selection.selection_via_proxy import SelectionViaProxy
from components.selection.selective_backprop import SelectiveBackprop
from components.selection.selector import Selector
from components.selection.short import Short
from components.selection.swiftlearn import SwiftLearn
from components.selection.target import Target
from components.selection.threshold import LossThreshold
from components.selection.uniform import Uniform

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
