"""Assessment: how a trained model holds up under attacks, noise and outliers; whether it knows when it errs."""
