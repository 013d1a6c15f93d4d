"""Assessment: how a trained model holds up under attacks and noise and with strangers; whether it knows when it errs."""
