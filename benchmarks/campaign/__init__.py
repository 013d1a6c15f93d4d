"""The reliability campaign: what kills, damaged files, odd models and generated calls do to infotorch."""
