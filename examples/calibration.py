"""Does a classifier know when it errs? Two networks of one accuracy, on digits as they are, corrupted, and foreign."""

import torch
from torch import nn

import infotorch
from infotorch.assessment import calibration_table

digits = infotorch.load("digits")
# Digits upside down are like those of the training data; noise is of another kind.
near = digits.test.x.rot90(2, dims=(2, 3))
far = torch.rand(digits.test.x.shape, generator=torch.Generator().manual_seed(0))

found = {}
for name, smoothing in (("cross-entropy", 0.0), ("smoothed labels", 0.1)):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    loss = infotorch.objectives.CrossEntropy(label_smoothing=smoothing)
    infotorch.fit(network, digits, plan=[loss], cuts=(), epochs=15, lr=5e-3, seed=0)
    found[name] = calibration_table(network, digits.test, near=near, far=far, severities=(1, 3, 5))
    line = found[name].table()[0]
    print(
        f"{name}: accuracy {line['accuracy']:.3f}, calibration error {line['ece']:.3f}, nats {line['nll_nats']:.3f}, "
        f"AUROC of turned digits {line['near_auroc']:.2f}, of noise {line['far_auroc']:.2f}"
    )

print("\ncalibration error under corruptions, means over three severities:")
for line, other in zip(*(table.means() for table in found.values()), strict=True):
    print(f"  {line['corruption']:15} {line['ece']:.3f}, with smoothed labels {other['ece']:.3f}")
plain = found["cross-entropy"]
