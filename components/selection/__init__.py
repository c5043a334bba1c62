"""Who may pass: one file a method, one line each here."""

from components.selection.infobatch import InfoBatch
from components.selection.selector import Selector
from components.selection.short import Short
from components.selection.swiftlearn import SwiftLearn
from components.selection.uniform import Uniform

METHODS: dict[str, type[Selector]] = {
    "full": Selector,
    "uniform": Uniform,
    "short": Short,
    "swiftlearn": SwiftLearn,
    "infobatch": InfoBatch,
}
