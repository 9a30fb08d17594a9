"""What every room of the server stands on: settings, refusals, metrics, what a log may say."""
