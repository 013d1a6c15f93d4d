"""Assessment: how a trained model holds up under attacks and noise and strangers; whether it knows when it errs."""
