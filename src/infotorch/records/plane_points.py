"""What an information plane's file holds: the form of its points, for those who write, resume and draw it."""

from __future__ import annotations

from infotorch.records.forms import COUNT, NUMBER, NUMBER_OR_NULL, TEXT, TEXT_OR_NULL, TRUTH, Each, Optional

#: One point, as `PlanePoint` has it.
POINT = {
    "epoch": COUNT,
    "layer": TEXT,
    **dict.fromkeys(("mi_xt", "mi_xt_error", "mi_ty", "mi_ty_error"), NUMBER_OR_NULL),
    "mi_xt_lower": Optional(NUMBER),
    "assumption": TEXT,
    "xt_estimator": TEXT_OR_NULL,
    "ty_estimator": TEXT_OR_NULL,
    "ceiling": Optional(NUMBER),
    # Files from before these were kept lack them.
    **dict.fromkeys(("mi_xt_reason", "mi_ty_reason"), Optional(TEXT)),
    **dict.fromkeys(("mi_xt_reliable", "mi_ty_reliable"), Optional(TRUTH)),
}
#: information_plane*.json.
PLANE = {"points": [POINT], "assumption": Optional(Each(NUMBER)), "rows": Optional(COUNT)}
