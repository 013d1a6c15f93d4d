from campaign.model_uses import REFUSED, USES, look
from campaign.part import Part


def test_a_share_of_the_odd_models_is_looked_at_without_a_fault():
    part = Part()
    look(part, seed=10, scale=0.01)
    assert part.failures == []
    assert sum(part.tried.values()) >= 8
    assert REFUSED.keys() == USES.keys()
