"""As many consumers as the lag needs: one supervisor a machine, its consumers are its children."""
