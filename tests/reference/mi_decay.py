"""Algorithm 1 of Vasudevan 2020 as it stands in the paper, with (1 - e / E): the rates of epochs 1 to E."""


def algorithm_1(ity, ixy, *, lr_min, lr_max, lr_top, epsilon, epochs):
    """ity[e] is the information after epoch e, ity[0] before training."""
    rates = []
    for e in range(1, epochs + 1):
        if e == 1:
            rate = lr_top
        else:
            d_p = 1 - max(ity[:e]) / ixy
            d_s = (ity[e - 1] - ity[e - 2]) / ity[e - 1]
            if e == 2:
                rate = max(d_p * lr_max, lr_min)
            elif e > 2 and d_s < epsilon:
                rate = max(d_p * (1 - e / epochs) * lr_max, lr_min)
        rates.append(rate)
    return rates
